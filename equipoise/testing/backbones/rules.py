"""The rules for backbones."""

#: The rules: name of the check → what the backbone must do. `equipoise check` prints both.
BACKBONE_CHECKS = {
    "declared": "a backbone must be a @dataclass(frozen=True) with a `name`, kinds in `accepts`, defaults inside their ranges",
    "documented": "the docstring's first line must say in a sentence what the model is",
    "pickles": "fields must hold plain values, so that the backbone can be sent to a worker process",
    "raises": "every world is valid input; see `x` in docs/plugins.md for the form in which features arrive",
    "global_state": "draw initial parameters from `generator` and dropout from `drop`, and change nothing outside",
    "in_place": "rows and parameters are shared and must not be changed; work on copies",
    "deterministic": "the same arguments must give the same result in any process at any time",
    "features": "features(kind) must make a new extractor that learns in `fit` only and transforms each row by itself",
    "parameters": "init must make new float32 tensors on the CPU in each call, for any number of features and of labels",
    "names": "`output`, `biases`, `head` and `conditioning_bias` must name parameters; `output` is added to the logits last",
    "shapes": "logits must be float32 (B, L), or (K, B, L) with batched = True",
    "finite": "features, parameters and logits must be finite",
    "rows": "a row's logits must depend on that row alone: no statistics over the batch",
    "padding": "padding must not influence the logits: use x.lengths",
    "lane": "a lane must use its own parameters, with the same bits alone, among others and in every slot",
    "dropout": "dropout must come from drop(h), which a field `dropout` sets, and be off in prediction",
    "head": "forward must be classify(represent(x)), the last layer linear with a weight (H, L) and a bias of L numbers",
    "label_inputs": "the conditioning bias must be added row by row, so that it may have a row for each example",
    "gradient": "every parameter must get the gradient of the logits",
    "chained": "with chained = True, forward must consist of `affine` and `drop.relu` only, each on the result before",
    "trains": "a short training at the default learning rate must succeed and lower the loss",
    "space": "every value in the search space must be valid",
    "weights": "an estimator must use the weights of the rows, and do without a row of weight 0",
    "separate_labels": "with separate_labels = True, a label alone must have the same logits as among others",
}
