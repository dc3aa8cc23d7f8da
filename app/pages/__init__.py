"""The pages: layout and callbacks, made of the pieces in ``app.pages.parts``.

A page is a module with ``register(app)``, which calls ``dash.register_page(__name__, path_template=...,
order=..., title=..., layout=layout)`` and hangs its callbacks on ``app``. ``app.server.PAGES`` lists the
pages, specific addresses first, and their ``order`` follows it: xray 10, sem 11, afm 12, triptych 20,
compare 30, samples 40.

``layout(sample_id=..., **query)`` gets the query of the address; whatever it holds is untrusted text.
Controls made by ``parts.select`` and ``parts.switch`` keep their value in the address by themselves (their
id is ``parts.view(name)``). Data comes from ``app.library.library()``, the colour scheme from
``parts.current_scheme()``, both at the time of the request; figures are given the scheme. A change of scheme
in the browser gives every graph the other template, so a figure sets no colour that depends on the scheme
other than through ``theme.template``.
"""
