"""The rules for data sets."""

#: The rules: name of the check → what the source of a data set must do. `equipoise check` prints both.
DATASET_CHECKS = {
    "declared": "a source must be an instance of a @dataclass(frozen=True) below DatasetSource, with a `name` and a `summary`",
    "pickles": "fields must hold plain values, so that the source can be sent to a worker process",
    "raises": "load(data_dir) must succeed at the defaults of the options",
    "form": "load must return an equipoise.Dataset: X of text or finite numbers, Y of 0 and 1, one name for each label",
    "named": "Dataset.name must be the name of the source; `source` and `terms` say where the data are from and who may use them",
    "global_state": "load must not change anything outside itself; draw random numbers from a generator of your own",
    "files": "load must write files below `data_dir` only",
    "network": "a second load must not need the network: keep what was downloaded in `data_dir`",
    "deterministic": "two loads must give equal data, in any process at any time: no clock, no order of sets, fixed seeds",
    "shared": "each load must return arrays of its own, which the user may change",
    "options": "an option must do what it says: `rows` sets the number of rows, and another `seed` gives other data",
    "labels": "label names must be distinct, without blanks around them, and each label have rows with and without it",
    "columns": "feature names must be distinct, and columns that `nominal` marks hold whole numbers",
    "leak": "features must not hold the labels or the number of the row",
    "texts": "texts must not be empty",
    "official": "`official` must hold training and test rows, each with most of the labels, and no row in both",
    "slow": "a load of data that are there already must take less than a minute",
}
