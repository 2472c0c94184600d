"""What tests/conftest.py goes by when it marks tests and orders files."""

# Whoever asks for one of these starts our command line, a pipeline, a browser or networks with their published weights.
WHOLE = {"chromium", "client", "flags", "laboratory", "shared_data", "site", "theatre", "tree"}
# These build networks, score with them, train them, or measure our speed, in nearly every test.
WHOLE_FOLDERS = {"benchmarks", "contract", "defences", "metrics", "train"}


# The files that take minutes. Their tests share what they set up, so a file stays with one worker; were such a file
# among the last, the other workers would wait for it.
LONGEST = (
    "tests/ci/test_pipeline.py",
    "tests/ci/test_aggregate.py",
    "tests/metrics/test_real_networks.py",
    "tests/metrics/test_small_networks.py",
    "tests/engine/test_run.py",
    "tests/defences/test_defence_contract.py",
    "tests/weights/test_weights_local.py",
    "tests/metrics/test_structure.py",
    "tests/train/test_loop.py",
)
