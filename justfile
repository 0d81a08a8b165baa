# Shortcuts; `.ci/run` is what a change has to pass. `just` lists them.

_list:
    @just --list --unsorted

# Format, lints, documentation, and whether the committed API description is current
check:
    cargo fmt --check
    cargo clippy --all-targets --locked -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items --locked --quiet
    cargo run --quiet --locked -- openapi | diff openapi/openapi.json -

# Tests of every day, all or those whose names contain a word: just test isolation
test *NAMES:
    cargo test {{ NAMES }}

# All tests, also the slow ones: soak, every planted fault of the database
test-all *NAMES:
    cargo test -- --include-ignored {{ NAMES }}

# Everything a change has to pass: what the forge runs, and the faults planted in the program
ci:
    .ci/run
    cargo test --test mutation

# Generate clients in three languages, run their scenarios, and check the API description
clients:
    clients/run
    clients/contract

# Write openapi/openapi.json
openapi:
    cargo build --quiet
    cargo run --quiet -- openapi > target/openapi.json
    mv target/openapi.json openapi/openapi.json

# Part of a release: the description that the next one is compared with
released:
    cp openapi/openapi.json openapi/released.json

# Write every snapshot; review the differences
snapshots:
    APPOINTD_UPDATE_SNAPSHOTS=1 cargo test
    git status --short

# Run a benchmark: load, neighbour, jobs, streams or foreign
bench NAME='load':
    cargo bench --bench {{ NAME }}
