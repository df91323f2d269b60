"""The compiler's wrapper."""

import pytest

from hmr_tf2.compiled import compiled


def test_a_function_without_a_place_for_a_cache_compiles_all_the_same():
    scope = {}
    exec("def twice(x):\n    return 2 * x", scope)  # no source file, so no cache can be located
    assert compiled(scope["twice"])(21) == 42


def test_a_division_by_zero_is_an_error_unless_numpys_way_is_asked_for():
    @compiled(error_model="numpy")
    def inverse(x):
        return 1.0 / x

    @compiled
    def checked_inverse(x):
        return 1.0 / x

    assert inverse(0.0) == float("inf")
    with pytest.raises(ZeroDivisionError):
        checked_inverse(0.0)
