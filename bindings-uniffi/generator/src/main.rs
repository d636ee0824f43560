//! Writes what calls the bridge from another language: `stackwright-uniffi-generator LANGUAGE LIBRARY CONFIG FOLDER`.

use std::{env, error::Error};

use uniffi_bindgen::bindings::{GenerateOptions, TargetLanguage, generate};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [language, library, config, folder] = arguments.as_slice() else {
        return Err("usage: stackwright-uniffi-generator kotlin|swift|ruby LIBRARY CONFIG FOLDER".into());
    };
    let language = match language.as_str() {
        "kotlin" => TargetLanguage::Kotlin,
        "swift" => TargetLanguage::Swift,
        "ruby" => TargetLanguage::Ruby,
        other => return Err(format!("`{other}` is no language that this writes").into()),
    };
    generate(GenerateOptions {
        languages: vec![language],
        source: library.into(),
        out_dir: folder.into(),
        config_override: Some(config.into()),
        ..GenerateOptions::default()
    })?;
    Ok(())
}
