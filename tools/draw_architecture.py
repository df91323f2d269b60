"""Draws docs/pictures/architecture.svg: the rooms on their floors, and who imports whom.

python tools/draw_architecture.py

A room stands one floor above the highest room that it imports from. Imports that others imply are
not drawn: if A imports B and B imports C, the arrow from A to C is left out.
"""

import dataclasses
import html
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from tools import rooms  # noqa: E402
from tools.rooms import Room  # noqa: E402

PICTURE = rooms.ROOT / "docs" / "pictures" / "architecture.svg"
OUTSIDE = ("benchmarks", "tools")  # not part of the house
FLOOR_HEIGHT, BOX_HEIGHT, GAP, MARGIN = 128, 66, 26, 30
BEND_WIDTH = 8  # pixels that an arrow takes up on a floor that it passes
SWEEPS = 40
# Pixels per letter at the sizes below, a little more than the average of the usual fonts.
NAME_LETTER, PURPOSE_LETTER, MEMBER_LETTER = 8.4, 6.7, 5.9
FONT = "Helvetica, Arial, 'Liberation Sans', sans-serif"
# Fill and edge of a box, depending on what the room is part of.
RECORDS, HOUSE, PROGRAMS = ("#edf5ee", "#5d9464"), ("#eaf0f9", "#5579b0"), ("#fbf2e2", "#bd8a3a")
INK, FAINT, LINE = "#1f2733", "#56616f", "#8d99a9"


@dataclasses.dataclass(eq=False)
class Spot:
    """A place on a floor: a room's box, or where an arrow passes that floor.

    Attributes:
        floor: its number, counted from the ground.
        width: width of the box in pixels.
        room: the room; None where an arrow passes.
        below: spots of the floor below to which lines go.
        above: spots of the floor above from which lines come.
        x: the middle of the box.
    """

    floor: int
    width: float
    room: Room | None = None
    below: list["Spot"] = dataclasses.field(default_factory=list)
    above: list["Spot"] = dataclasses.field(default_factory=list)
    x: float = 0.0


def floor_of() -> dict[Room, int]:
    """The floor of each room of the house, 0 on the ground."""
    floors: dict[Room, int] = {}
    for room, below in house().items():  # what a room imports comes before it
        floors[room] = 1 + max((floors[other] for other in below), default=-1)
    return floors


def house() -> dict[Room, set[Room]]:
    """The rooms that each room of the house imports from."""
    graph = rooms.room_imports()
    return {room: below for room, below in graph.items() if room.name not in OUTSIDE}


def drawn_imports() -> dict[Room, list[Room]]:
    """The imports without those that others imply, in the order of `ROOMS`."""
    graph = house()
    reached: dict[Room, set[Room]] = {}
    for room, below in graph.items():
        reached[room] = below.union(*(reached[other] for other in below))
    return {
        room: [
            other
            for other in graph
            if other in below and not any(other in reached[between] for between in below)
        ]
        for room, below in graph.items()
    }


def draw() -> str:
    """The picture as SVG."""
    plan = _plan()
    _order(plan)
    _place(plan)
    left = min(spot.x - spot.width / 2 for floor in plan for spot in floor) - MARGIN
    right = max(spot.x + spot.width / 2 for floor in plan for spot in floor) + MARGIN
    top = -(len(plan) - 1) * FLOOR_HEIGHT - MARGIN
    width, height = round(right - left), BOX_HEIGHT + MARGIN - top
    spots = [spot for floor in reversed(plan) for spot in floor if spot.room]
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="{left:.0f} {top} {width} {height}" font-family="{FONT}">',
        '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        f'orient="auto"><path d="M0 0.5 L8 4 L0 7.5 z" fill="{LINE}"/></marker>',
        f'<rect x="{left:.0f}" y="{top}" width="{width}" height="{height}" fill="white"/>',
        *(_arrow(spot, first) for spot in spots for first in spot.below),
        *(line for spot in spots for line in _box(spot)),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def members_shown(room: Room) -> str:
    """The modules of a group, as its box lists them."""
    names = [name.rpartition(".")[2] for name in room.members if name != "hmr_tf2"]
    return " ".join(names) if len(names) > 1 else ""


def _plan() -> list[list[Spot]]:
    """The spots of each floor, with a bend for each floor that an arrow passes."""
    floors = floor_of()
    spots = {room: Spot(floor, _box_width(room), room) for room, floor in floors.items()}
    plan: list[list[Spot]] = [[] for _ in range(max(floors.values()) + 1)]
    for spot in spots.values():
        plan[spot.floor].append(spot)
    for room, below in drawn_imports().items():
        for other in below:
            upper = spots[room]
            for floor in range(floors[room] - 1, floors[other], -1):
                bend = Spot(floor, BEND_WIDTH)
                plan[floor].append(bend)
                _connect(upper, bend)
                upper = bend
            _connect(upper, spots[other])
    return plan


def _connect(upper: Spot, lower: Spot) -> None:
    upper.below.append(lower)
    lower.above.append(upper)


def _box_width(room: Room) -> float:
    return 24 + max(
        NAME_LETTER * len(room.title),
        PURPOSE_LETTER * len(room.purpose),
        MEMBER_LETTER * len(members_shown(room)),
    )


def _order(plan: list[list[Spot]]) -> None:
    """Sorts each floor by the mean place of its neighbours, so that few lines cross."""
    for sweep in range(SWEEPS):
        upwards = sweep % 2 == 0
        for floor in plan if upwards else reversed(plan):
            for place, spot in enumerate(floor):
                neighbours = spot.below if upwards else spot.above
                spot.x = statistics.fmean(n.x for n in neighbours) if neighbours else place
            floor.sort(key=lambda spot: spot.x)
            for place, spot in enumerate(floor):
                spot.x = place - len(floor) / 2


def _place(plan: list[list[Spot]]) -> None:
    """Moves each spot towards the middle of its neighbours, without changing a floor's order."""
    for floor in plan:
        _spread(floor, [spot.x * 200 for spot in floor])
    for sweep in range(SWEEPS):
        for floor in plan if sweep % 2 == 0 else reversed(plan):
            wanted = [
                statistics.fmean([n.x for n in spot.below + spot.above] or [spot.x])
                for spot in floor
            ]
            _spread(floor, wanted)


def _spread(floor: list[Spot], wanted: list[float]) -> None:
    """Puts the spots as near to the wanted places as their widths allow.

    One pass from the left pushes spots apart to the right, one from the right to the left. Each
    keeps the distances, and so does the mean of both, which is taken.
    """
    steps = [(a.width + b.width) / 2 + GAP for a, b in zip(floor, floor[1:], strict=False)]
    rightward = list(wanted)
    for i, step in enumerate(steps):
        rightward[i + 1] = max(rightward[i + 1], rightward[i] + step)
    leftward = list(wanted)
    for i in range(len(steps) - 1, -1, -1):
        leftward[i] = min(leftward[i], leftward[i + 1] - steps[i])
    for spot, first, second in zip(floor, rightward, leftward, strict=True):
        spot.x = (first + second) / 2


def _arrow(start: Spot, first: Spot) -> str:
    """The line from below one box to the top of another, straight past the floors between."""
    path = [f"M{start.x:.0f} {_top(start) + BOX_HEIGHT}"]
    x, y, spot = start.x, _top(start) + BOX_HEIGHT, first
    while True:
        end = _top(spot)
        middle = (y + end) / 2
        path.append(f"C{x:.0f} {middle:.0f} {spot.x:.0f} {middle:.0f} {spot.x:.0f} {end}")
        if spot.room:
            break
        path.append(f"V{end + BOX_HEIGHT}")
        x, y, spot = spot.x, end + BOX_HEIGHT, spot.below[0]
    return (
        f'<path d="{" ".join(path)}" fill="none" stroke="{LINE}" stroke-width="1.3" '
        'marker-end="url(#tip)"/>'
    )


def _box(spot: Spot) -> list[str]:
    room, left, top = spot.room, spot.x - spot.width / 2, _top(spot)
    inside, edge = HOUSE
    if room.programs:
        inside, edge = PROGRAMS
    elif room.name.startswith("tfrecords_tools"):
        inside, edge = RECORDS
    rows = [
        (room.title, f'font-size="15" font-weight="bold" fill="{INK}"'),
        (room.purpose, f'font-size="13" fill="{INK}"'),
        (members_shown(room), f'font-size="11.5" fill="{FAINT}"'),
    ]
    rows = [row for row in rows if row[0]]
    first = top + BOX_HEIGHT / 2 + 5 - 9 * (len(rows) - 1)
    return [
        f'<rect x="{left:.0f}" y="{top}" width="{spot.width:.0f}" height="{BOX_HEIGHT}" rx="6" '
        f'fill="{inside}" stroke="{edge}" stroke-width="1.4"/>',
        *(
            f'<text x="{spot.x:.0f}" y="{first + 18 * number:.0f}" text-anchor="middle" {style}>'
            f"{html.escape(text)}</text>"
            for number, (text, style) in enumerate(rows)
        ),
    ]


def _top(spot: Spot) -> int:
    return -spot.floor * FLOOR_HEIGHT


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
    print(PICTURE)
