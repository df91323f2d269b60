"""Claims about the settings of a conversion: a mistake is told before any work."""

import dataclasses

import pytest

from tfrecords_tools.convert_settings import ConvertSettings


def make(**changes) -> ConvertSettings:
    return ConvertSettings(**{"datasets": ("lsp",), "data_dir": "out", **changes})


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"datasets": ()}, "--datasets is not set; it accepts lsp, lsp_ext, .*mosh"),
        ({"datasets": ("lsp", "lps")}, "--datasets accepts lsp, .*; got 'lps'"),
        ({"data_dir": None}, "--data_dir is not set: it names the folder of the records"),
        ({"data_dir": ""}, "--data_dir is not set"),
        ({"max_skipped": 1.5}, "--max_skipped must be at most 1; got 1.5"),
        ({"max_skipped": -1}, "--max_skipped must be at least 0; got -1"),
        ({"max_skipped": float("nan")}, "--max_skipped must be at least 0; got nan"),
        ({"workers": -1}, "--workers must be at least 0; got -1"),
        ({"seed": -1}, "--seed must be at least 0; got -1"),
        ({"h36m_frame_step": 0}, "--h36m_frame_step must be at least 1; got 0"),
        ({"examples_per_shard": 0}, "--examples_per_shard must be at least 1; got 0"),
        ({"mocap_per_shard": 0}, "--mocap_per_shard must be at least 1; got 0"),
        ({"mpi_inf_3dhp_split": "test"}, "--mpi_inf_3dhp_split accepts train, trainval; got"),
        ({"runner": "spark"}, "--runner accepts local, beam; got 'spark'"),
    ],
)
def test_a_wrong_value_is_told_with_its_flag(changes, message):
    with pytest.raises(ValueError, match=message):
        make(**changes)


@pytest.mark.parametrize("share", [0, 0.0, 1])
def test_none_or_all_samples_may_be_unusable(share):
    assert make(max_skipped=share).max_skipped == share


def test_every_flag_has_a_help_text_of_its_own_that_is_a_sentence():
    helps = [field.metadata["help"] for field in dataclasses.fields(ConvertSettings)]
    assert len(set(helps)) == len(helps)
    assert all(text.endswith(".") and not text.startswith("Of ") for text in helps)
