"""Commands for those who write plugins: `new` begins one from a template, `check` tests it against the contract."""
