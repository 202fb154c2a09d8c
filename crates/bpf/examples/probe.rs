//! What this kernel allows of sockeye's BPF programs: `cargo run -p sockeye-bpf --example probe`.

fn main() {
    for (program, loaded) in sockeye_bpf::probe() {
        println!("{}: {}", program.name, program.meaning);
        println!("  needs {}", program.needs);
        match loaded {
            Ok(()) => println!("  loads"),
            Err(error) => println!("  {error}"),
        }
    }
}
