"""Machine code on the disk saves time, and a loss of it costs nothing else."""

import importlib.util
import pwd

import numba
import pytest

from metric_robustness.pipeline.files.machine_code import machine_code

SOURCE = "def once(value):\n    return value + value\n\ndef double(value):\n    return once(value)\n"


@pytest.fixture
def double(tmp_path, monkeypatch):
    """Returns what makes machine code of a function that calls another, as a new process does it."""
    file = tmp_path / "numbers.py"
    file.write_text(SOURCE, encoding="utf-8")
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")  # the developer's own

    def made():
        spec = importlib.util.spec_from_file_location("numbers", file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.once = machine_code(module.once)
        return machine_code(module.double)

    return made


def hits(function):
    assert function(21) == 42
    return sum(function.stats.cache_hits.values())


def test_the_next_process_finds_the_machine_code(double):
    assert [hits(double()), hits(double())] == [0, 1]


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
@pytest.mark.parametrize("damage", [b"", b"nonsense", None])
def test_a_damaged_file_costs_time_only_and_is_made_anew(double, tmp_path, suffix, damage):
    hits(double())
    for file in (tmp_path / "__pycache__").glob(f"*.{suffix}"):
        whole = file.read_bytes()
        file.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    assert [hits(double()), hits(double())] == [0, 1]


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
def test_files_that_can_be_neither_read_nor_written_cost_time_only(double, tmp_path, suffix):
    hits(double())
    for file in (tmp_path / "__pycache__").glob(f"*.{suffix}"):
        file.unlink()
        file.mkdir()
    assert [hits(double()), hits(double())] == [0, 0]


def test_code_is_compiled_also_where_it_cannot_be_kept():
    """Numba finds no place for its cache where it may write neither to the checkout nor to the home."""
    made = {}
    exec(SOURCE, made)  # noqa: S102  # no file, so numba finds no cache folder
    with pytest.raises(RuntimeError, match="cannot cache"):
        numba.njit(cache=True)(made["once"])
    assert machine_code(made["once"])(21) == 42


def test_a_user_without_a_home_gets_no_folder_of_the_name_tilde(double, tmp_path, monkeypatch):
    def unknown(user):
        raise KeyError(user)

    monkeypatch.setattr(pwd, "getpwuid", unknown)  # as in a container that runs as any number
    for name in ("HOME", "NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "__pycache__").write_text("no folder")  # nothing can be kept beside the file
    assert [hits(double()), hits(double())] == [0, 0]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["__pycache__", "numbers.py"]
