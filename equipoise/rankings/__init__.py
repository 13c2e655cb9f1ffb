"""Ranks strategies over many data sets: ranks, ties, mean differences, cost, and what is not known.

`equipoise.rankings.ranking.rankings` turns comparisons of `equipoise.report` into `Ranking` objects; everything that is shown
(on a terminal, as JSON, as a picture, on a page) is read from them.
"""
