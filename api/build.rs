//! Puts the dashboard's files into the binary: one table entry each, with its type and a tag of
//! its content. Its tests stay out.

use std::{
    env,
    error::Error,
    fmt::Write,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
};

/// Folders of this name are for developers.
const NOT_SERVED: &str = "tests";

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("dashboard");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut files = if root.is_dir() { files_under(&root)? } else { Vec::new() };
    files.sort();
    let mut table = String::from("&[\n");
    for file in files {
        let path = file.strip_prefix(&root)?.display().to_string().replace('\\', "/");
        let content = fs::read(&file)?;
        let mut hasher = DefaultHasher::new();
        content.hash(&mut hasher);
        // Debug is how Rust writes a string literal.
        let etag = format!("\"{:016x}\"", hasher.finish());
        let source = file.to_str().ok_or("a path that is not UTF-8")?;
        writeln!(
            table,
            "Asset {{ path: {path:?}, content_type: {:?}, etag: {etag:?}, content: include_bytes!({source:?}) }},",
            content_type(&file)?,
        )?;
    }
    table.push(']');
    fs::write(Path::new(&env::var("OUT_DIR")?).join("dashboard.rs"), table)?;
    Ok(())
}

fn files_under(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            if !path.ends_with(NOT_SERVED) {
                files.extend(files_under(&path)?);
            }
        } else {
            files.push(path);
        }
    }
    Ok(files)
}

fn content_type(file: &Path) -> Result<&'static str, String> {
    Ok(match file.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("txt" | "md") | None => "text/plain; charset=utf-8",
        Some(_) => return Err(format!("{}: of what type is this?", file.display())),
    })
}
