//! A new migration is a new file: without this line cargo would not notice it.

fn main() {
    println!("cargo:rerun-if-changed=sql");
}
