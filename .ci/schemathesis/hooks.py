"""Uploads that are bundles, and such that nearly are."""

import os
from pathlib import Path

import schemathesis
from hypothesis import strategies as st

BUNDLE = Path(os.environ["CI_BUNDLE_FILE"]).read_bytes()

cut = st.integers(0, len(BUNDLE)).map(lambda size: BUNDLE[:size])
changed = st.tuples(st.integers(0, len(BUNDLE) - 1), st.binary(min_size=1, max_size=4)).map(
    lambda change: BUNDLE[: change[0]] + change[1] + BUNDLE[change[0] + len(change[1]) :]
)

schemathesis.openapi.media_type("application/octet-stream", st.one_of(st.just(BUNDLE), cut, changed, st.binary()))
