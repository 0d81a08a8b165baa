//! The binary: sets the allocator and runs the command line.

use std::process::ExitCode;

/// Hashing passwords allocates large blocks; glibc's allocator would keep some for each thread that ever hashed.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    appointd::cli::run()
}
