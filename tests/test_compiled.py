"""The compiler's wrapper."""

from hmr_tf2.compiled import compiled


def test_a_function_without_a_place_for_a_cache_compiles_all_the_same():
    scope = {}
    exec("def twice(x):\n    return 2 * x", scope)  # no source file, so no cache can be located
    assert compiled(scope["twice"])(21) == 42
