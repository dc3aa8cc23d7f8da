"""Records to Plotly figures; no Dash here."""
