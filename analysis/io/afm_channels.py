"""Which channels of a file are height and modulus: by unit first, then by title.

The modulus has a unit of pressure, whatever its title ("Stiffness" in files of older instruments); the
height has a unit of length, as deformation and others have too, so its title decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from analysis.errors import InputError
from analysis.io.afm_file import GPA_PER_PRESSURE_UNIT, UM_PER_LENGTH_UNIT, AfmChannel, AfmFile

HEIGHT_TITLES = (r"height ?sensor|z ?sensor|measured height|height \(measured", r"height|topo", r"\bz\b")
"""Titles of height from the most to the least trusted: what a sensor measured comes before the drive."""

NOT_HEIGHT = r"deform|indent|separation|amplitude|error|dissipation|log"
MODULUS_TITLES = (r"modulus|young|elastic", r"stiffness")


@dataclass(frozen=True, kw_only=True)
class ChosenChannels:
    """Channels to reduce, why each was chosen, and what is worth telling."""

    height: AfmChannel | None
    modulus: AfmChannel | None
    why: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def field(self) -> AfmChannel:
        """The channel whose pixels are the field's: the modulus where there is one."""
        channel = self.modulus if self.modulus is not None else self.height
        if channel is None:
            raise ValueError("neither height nor modulus")
        return channel


def choose_channels(
    file: AfmFile,
    *,
    height: str | None,
    modulus: str | None,
    height_unit: str | None = None,
    modulus_unit: str | None = None,
) -> ChosenChannels:
    """Choose height and modulus, by title where one is configured.

    ``height_unit`` and ``modulus_unit`` stand for a unit that a titled channel does not say. Raises
    InputError naming the candidates if a title is not there, has another unit, or several channels fit
    equally, and if there is neither height nor modulus.
    """
    file = _with_unit(file, modulus, modulus_unit, "afm.modulus", GPA_PER_PRESSURE_UNIT)
    file = _with_unit(file, height, height_unit, "afm.height", UM_PER_LENGTH_UNIT)
    moduli = [channel for channel in file.channels if channel.is_pressure]
    chosen_modulus = (
        _titled(file, modulus, "afm.modulus", "a pressure (Pa)", lambda channel: channel.is_pressure)
        if modulus is not None
        else _best(file, moduli, MODULUS_TITLES, "afm.modulus")
    )
    heights = [channel for channel in file.channels if channel.is_length]
    chosen_height = (
        _titled(file, height, "afm.height", "a length (m)", lambda channel: channel.is_length)
        if height is not None
        else _best(file, _height_like(heights, chosen_modulus), HEIGHT_TITLES, "afm.height")
    )
    if chosen_height is None and chosen_modulus is None:
        raise InputError(
            file.path,
            expected="a channel of height (unit m) or of modulus (unit Pa)",
            found=_listed(file.channels),
        )
    if chosen_height is not None and chosen_modulus is not None:
        _same_field(file, chosen_height, chosen_modulus)
    return ChosenChannels(
        height=chosen_height,
        modulus=chosen_modulus,
        why=_why(chosen_height, chosen_modulus, height, modulus),
        notes=_notes(file, chosen_height, chosen_modulus),
    )


def _with_unit(
    file: AfmFile, title: str | None, unit: str | None, field: str, known: Mapping[str, float]
) -> AfmFile:
    """The file with the configured unit on the titled channels that have none of that kind."""
    if unit is None:
        return file
    if title is None:
        raise InputError(
            file.path, field=f"{field}_unit", expected=f"{field} to name the channel", found="none"
        )
    named = _named(file, title)
    channels = tuple(
        replace(channel, unit=unit) if channel in named and channel.unit not in known else channel
        for channel in file.channels
    )
    return replace(file, channels=channels)


def _named(file: AfmFile, title: str) -> list[AfmChannel]:
    """Channels of a title, or of ``channel N``; by letters alone where none has it exactly."""
    exact = [channel for channel in file.channels if title in {channel.title, f"channel {channel.number}"}]
    folded = title.strip().casefold()
    return exact or [channel for channel in file.channels if channel.title.casefold() == folded]


def _height_like(channels: Sequence[AfmChannel], modulus: AfmChannel | None) -> list[AfmChannel]:
    """Channels that may be height: no deformation or the like, of the modulus' size where one has it."""
    kept = [channel for channel in channels if not re.search(NOT_HEIGHT, channel.title, re.IGNORECASE)]
    if modulus is None:
        return kept
    return [channel for channel in kept if channel.shape == modulus.shape] or kept


def _titled(
    file: AfmFile, title: str, field: str, unit: str, fits: Callable[[AfmChannel], bool]
) -> AfmChannel:
    named = _named(file, title)
    if not named:
        raise InputError(
            file.path, field=field, expected=f"a channel titled {title!r}", found=_listed(file.channels)
        )
    fitting = [channel for channel in named if fits(channel)]
    if not fitting:
        raise InputError(
            file.path,
            field=field,
            expected=f"a channel of {unit}",
            found=_listed(named),
            remedy=f"name another, or say its unit with {field.removeprefix('afm.')}_unit",
        )
    return fitting[0]


def _best(
    file: AfmFile, channels: Sequence[AfmChannel], titles: Sequence[str], field: str
) -> AfmChannel | None:
    """The channel with the most trusted title; the only one needs none; equal titles give the first."""
    if not channels:
        return None
    ranks = [_rank(channel.title, titles) for channel in channels]
    tied = [channel for channel, rank in zip(channels, ranks, strict=True) if rank == min(ranks)]
    if len({channel.title for channel in tied}) > 1 or (len(tied) > 1 and not tied[0].title):
        key = field.removeprefix("afm.")
        raise InputError(
            file.path,
            field=field,
            expected=f"one channel that can be the {key}",
            found=_listed(tied),
            remedy=f'name one: {key} = "{tied[0].name}"',
        )
    return tied[0]


def _rank(title: str, titles: Sequence[str]) -> int:
    for rank, pattern in enumerate(titles):
        if re.search(pattern, title, re.IGNORECASE):
            return rank
    return len(titles)


def _same_field(file: AfmFile, height: AfmChannel, modulus: AfmChannel) -> None:
    one, other = height.grid(file.path), modulus.grid(file.path)
    sizes_differ = any(
        abs(a - b) > 1e-6 * b for a, b in zip(one.cell_um, other.cell_um, strict=True)
    )  # fmt: skip
    if height.shape != modulus.shape or sizes_differ:
        raise InputError(
            file.path,
            expected="height and modulus on the same pixels",
            found=f"{_size(height)} of {height.name!r} and {_size(modulus)} of {modulus.name!r}",
            remedy="resample one of them in Gwyddion or name another channel",
        )


def _why(
    height: AfmChannel | None, modulus: AfmChannel | None, named_height: str | None, named_modulus: str | None
) -> tuple[str, ...]:
    told = []
    for what, channel, title in (("height", height, named_height), ("modulus", modulus, named_modulus)):
        if channel is None:
            told.append(f"no {what}")
        else:
            reason = "as configured" if title is not None else f"by unit {channel.unit} and title"
            told.append(f"{what} from channel {channel.number} {channel.name!r}, {reason}")
    return tuple(told)


def _notes(file: AfmFile, height: AfmChannel | None, modulus: AfmChannel | None) -> tuple[str, ...]:
    notes = []
    for what, channel in (("height", height), ("modulus", modulus)):
        if channel is None:
            notes.append(f"the file has no {what}: its map is empty")
            continue
        twins = [
            str(other.number)
            for other in file.channels
            if other is not channel and other.title == channel.title and other.unit == channel.unit
        ]
        if twins:
            notes.append(
                f"{what}: channels {', '.join(twins)} are titled {channel.name!r} too; "
                f"channel {channel.number} is used"
            )
    return tuple(notes)


def _listed(channels: Sequence[AfmChannel]) -> str:
    return ", ".join(f"{channel.name!r} ({channel.unit or 'no unit'})" for channel in channels[:20])


def _size(channel: AfmChannel) -> str:
    rows, cols = channel.shape
    return f"{cols} x {rows} px of {channel.width:.4g} x {channel.height:.4g} {channel.xy_unit}"
