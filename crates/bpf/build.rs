//! Compiles each `src/programs/*.bpf.c` with clang into an object that the loader includes.

#[cfg(not(feature = "programs"))]
fn main() {}

#[cfg(feature = "programs")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use std::path::PathBuf;
    use std::process::{Command, Stdio};

    const PROGRAMS: &str = "src/programs";
    println!("cargo::rerun-if-changed={PROGRAMS}");
    println!("cargo::rerun-if-env-changed=CLANG");
    let clang = std::env::var_os("CLANG").unwrap_or("clang".into());
    let version = Command::new(&clang).arg("--version").stdout(Stdio::null()).status();
    if !version.is_ok_and(|status| status.success()) {
        return Err(format!(
            "{} does not run, and it compiles the BPF programs: apt-get install clang, name \
             another one by CLANG, or build without them (--no-default-features)",
            clang.display()
        )
        .into());
    }
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("no OUT_DIR")?);
    for entry in std::fs::read_dir(PROGRAMS)? {
        let source = entry?.path();
        let name = source.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some(name) = name.strip_suffix(".c").filter(|name| name.ends_with(".bpf")) {
            libbpf_cargo::SkeletonBuilder::new()
                .source(&source)
                .obj(out.join(name).with_extension("bpf.o"))
                .clang(&clang)
                .clang_args(["-Wall", "-Werror"])
                .build()?;
        }
    }
    Ok(())
}
