"""The training engine: populations of lanes, trained side by side.

A lane is one training (one seed, one setting, one fold, one sub-task). On CPU its result has the same bits alone or among
any number of other lanes; `lanes` says what a lane is, `population` trains them.
"""
