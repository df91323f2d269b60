"""Claims about `settings`: a value outside its limits is refused with a message that helps."""

import dataclasses
import math

import pytest

from tfrecords_tools.settings import check_settings, setting


@dataclasses.dataclass(frozen=True)
class Settings:
    """One field for each kind of limit."""

    mode: str = setting("fast", "How.", "what", choices=("fast", "exact"))
    sets: tuple[str, ...] = setting((), "Which.", "what", choices=("a", "b"))
    protocol: int = setting(1, "Which.", "what", choices=(1, 2))
    steps: int = setting(1, "How many.", "what", minimum=1)
    share: float = setting(0.5, "How much.", "what", minimum=0, maximum=1)
    rate: float | None = setting(0.1, "How fast.", "what", above=0, below=2)
    scales: tuple[float, ...] = setting((), "Sizes.", "what", above=0)
    path: str | None = setting(None, "Where.", "what", free=True)
    plain: bool = setting(False, "Whether.", "what")
    other: int = 7  # a field that is no setting has no limits

    def __post_init__(self):
        check_settings(self)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"mode": "exact", "sets": ("b", "a", "b"), "protocol": 2},
        {"steps": 1, "share": 0, "rate": 1.999},
        {"share": 1.0, "rate": None, "scales": (0.1, 3.0)},
        {"mode": None, "steps": None, "plain": True},
    ],
)
def test_values_within_their_limits_pass(values):
    Settings(**values)


@pytest.mark.parametrize(
    "values, message",
    [
        ({"mode": "slow"}, "--mode accepts fast, exact; got 'slow'."),
        ({"sets": ("a", "c", "d")}, "--sets accepts a, b; got 'c'."),
        ({"protocol": 3}, "--protocol accepts 1, 2; got 3."),
        ({"steps": 0}, "--steps must be at least 1; got 0."),
        ({"share": 1.01}, "--share must be at most 1; got 1.01."),
        ({"share": -0.1}, "--share must be at least 0; got -0.1."),
        ({"rate": 0}, "--rate must be above 0; got 0."),
        ({"rate": 2}, "--rate must be below 2; got 2."),
        ({"scales": (1.0, 0.0)}, "--scales must be above 0; got 0.0."),
        ({"share": math.nan}, "--share must be at least 0; got nan."),
        ({"rate": math.nan}, "--rate must be above 0; got nan."),
        ({"rate": math.inf}, "--rate must be below 2; got inf."),
    ],
)
def test_a_value_outside_its_limits_is_told_with_flag_and_limits(values, message):
    with pytest.raises(ValueError) as caught:
        Settings(**values)
    assert str(caught.value) == message


def test_the_first_field_that_is_wrong_is_told():
    with pytest.raises(ValueError, match="--mode"):
        Settings(steps=0, mode="slow")


def test_a_misspelled_limit_is_refused_where_it_is_written():
    with pytest.raises(TypeError, match="'minimun' is not a limit; these are: above, below, ch"):
        setting(1, "How many.", "what", minimun=1)


def test_help_group_and_limits_are_kept_for_the_commands():
    field = {field.name: field for field in dataclasses.fields(Settings)}["path"]
    assert field.default is None
    assert dict(field.metadata) == {"help": "Where.", "group": "what", "free": True}
