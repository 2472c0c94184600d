"""The lists by which tests/conftest.py marks tests and orders files."""

# A test with one of these fixtures starts our command line, a pipeline, a browser or networks with published weights.
WHOLE = {"chromium", "client", "flags", "laboratory", "shared_data", "site", "theatre", "tree"}
# Nearly every test of these folders and files builds networks, trains them, draws, starts processes, measures our
# speed, or tries every attack that there is.
WHOLE_PLACES = {
    "attacks/test_attack_contract.py",
    "benchmarks",
    "cli",
    "containers",
    "contract",
    "defences",
    "engine/saved",
    "engine/test_rerun.py",
    "isolation",
    "library",
    "metrics",
    "scoring/plots",
    "train",
}


# These files take over a quarter of a minute each, the longest first. Their tests share what they set up, so one worker
# runs a whole file; if such a file began last, the other workers would wait for it.
LONGEST = (
    "tests/containers/test_containers.py",
    "tests/metrics/test_strong_suite_on_networks.py",
    "tests/ci/test_pipeline.py",
    "tests/metrics/test_structure.py",
    "tests/metrics/test_real_networks.py",
    "tests/contract/test_contract.py",
    "tests/test_shown_commands.py",
    "tests/ci/test_aggregate.py",
    "tests/test_package.py",
    "tests/defences/test_defence_contract.py",
    "tests/engine/test_run.py",
    "tests/engine/test_chaos.py",
    "tests/weights/test_weights_local.py",
    "tests/metrics/test_small_networks.py",
    "tests/weights/test_weights_fetch.py",
    "tests/metrics/test_official_values.py",
    "tests/metrics/test_fragments.py",
    "tests/metrics/test_universal_gain.py",
    "tests/metrics/test_against_pyiqa.py",
    "tests/attacks/test_attack_contract.py",
    "tests/train/test_loop.py",
)
