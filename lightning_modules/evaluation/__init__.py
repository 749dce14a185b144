"""Generated beside real motion: evaluators, the callback of ``lightning test``, and its report."""
