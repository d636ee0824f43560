//! `app cost`: what installations cost in a period.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value as Json;
use stackwright::{
    application::{Applications, CostOptions},
    error::{Error, ErrorKind, Result, Sources},
    form,
    pricing::cost::{BillRow, CostBy, CostReport, CostRow, SharedCost, Window},
    stack::Engine,
};

use super::{Failure, InSources as _, app::usage};
use crate::{exit::Exit, session::Session};

/// What is asked for.
pub(super) struct Asked<'a> {
    pub(super) period: (Option<&'a str>, Option<&'a str>),
    pub(super) by: &'a str,
    pub(super) bill: Option<&'a Path>,
    pub(super) shared: Option<&'a Path>,
    pub(super) csv: bool,
    pub(super) json: bool,
}

pub(super) async fn run(
    session: &Session,
    apps: &Applications,
    engine: &Engine,
    asked: &Asked<'_>,
) -> Result<Exit, Failure> {
    let now = engine.clock().now();
    let moment = |text: &str| Window::moment(text).map_err(Error::from);
    let until = asked.period.1.map(moment).transpose()?.unwrap_or(now);
    // The month that just began is over in a moment; the one before is meant then.
    let from = asked.period.0.map(moment).transpose()?.unwrap_or_else(|| Window::month_of(until).from);
    let window = Window::new(from, until).map_err(Error::from)?;
    let bill = asked.bill.map(|path| read_bill(&session.folder.join(path), path)).transpose()?;
    let shared = match asked.shared {
        Some(path) => read_shared(session, path)?,
        None => Vec::new(),
    };
    let report = apps.cost(&CostOptions { window, bill, shared }).await?;
    if asked.csv {
        say_part!("{}", csv_text(&report)?);
    } else if asked.json {
        report.rows().iter().for_each(|row| say!("{}", row.to_json()));
    } else {
        let by = match asked.by {
            "tenant" => CostBy::Tenant,
            "resource" => CostBy::Resource,
            _ => CostBy::Application,
        };
        say_part!("{}", report.text(by).map_err(Error::from)?);
    }
    Ok(Exit::Success)
}

fn csv_text(report: &CostReport) -> Result<String> {
    let unwritten = |error: csv::Error| Error::bug("rows cannot be written").because(error);
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(CostRow::COLUMNS).map_err(unwritten)?;
    for row in report.rows() {
        writer.write_record(row.texts()).map_err(unwritten)?;
    }
    let bytes =
        writer.into_inner().map_err(|error| Error::bug("rows cannot be written").because(error.into_error()))?;
    String::from_utf8(bytes).map_err(|error| Error::bug("rows are no text").because(error))
}

/// A row of a file: its line, and the texts of its columns.
type Columns = (u64, BTreeMap<String, String>);

fn read_bill(place: &Path, shown: &Path) -> Result<Vec<BillRow>> {
    let text = fs::read_to_string(place)
        .map_err(|error| usage(format!("`{}` cannot be read", shown.display())).because(error))?;
    // Programs of spreadsheets write a mark before the first column.
    let text = text.trim_start_matches('\u{feff}');
    let is_json = shown.extension().is_some_and(|end| end == "jsonl" || end == "json");
    let (rows, mut problems) = if is_json { json_rows(text) } else { csv_rows(text) };
    match BillRow::read(rows).map_err(Error::from) {
        Ok(rows) if problems.is_empty() => return Ok(rows),
        Ok(_) => {}
        Err(error) => {
            let told = error.message().strip_prefix("the bill cannot be read: ").unwrap_or(error.message());
            problems.extend(told.split("; ").map(str::to_owned));
        }
    }
    let problems: Vec<String> = problems.iter().map(|problem| format!("\n  {problem}")).collect();
    let message = format!("the bill `{}` cannot be read:{}", shown.display(), problems.concat());
    Err(Error::new(ErrorKind::InvalidInput, "cost.bill", message))
}

fn csv_rows(text: &str) -> (Vec<Columns>, Vec<String>) {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let names: Vec<String> = match reader.headers() {
        Ok(names) => names.iter().map(|name| name.trim().to_owned()).collect(),
        Err(error) => return (Vec::new(), vec![error.to_string()]),
    };
    let (mut rows, mut problems) = (Vec::new(), Vec::new());
    for record in reader.records() {
        match record {
            Ok(record) => {
                let line = record.position().map_or(0, csv::Position::line);
                if record.len() != names.len() {
                    let (got, wanted) = (record.len(), names.len());
                    problems.push(format!("line {line}: it has {got} columns, and the first line has {wanted}"));
                    continue;
                }
                let cells = record.iter().map(str::to_owned);
                rows.push((line, names.iter().cloned().zip(cells).collect()));
            }
            Err(error) => problems.push(error.to_string()),
        }
    }
    (rows, problems)
}

fn json_rows(text: &str) -> (Vec<Columns>, Vec<String>) {
    let (mut rows, mut problems) = (Vec::new(), Vec::new());
    for (number, line) in (1_u64..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        match serde_json::from_str::<Json>(line) {
            Ok(Json::Object(columns)) => {
                let text = |value: Json| match value {
                    Json::Null => String::new(),
                    Json::String(text) => text,
                    other => other.to_string(),
                };
                rows.push((number, columns.into_iter().map(|(name, value)| (name, text(value))).collect()));
            }
            Ok(_) => problems.push(format!("line {number}: it is no JSON object")),
            Err(error) => problems.push(format!("line {number}: it is no JSON: {error}")),
        }
    }
    (rows, problems)
}

fn read_shared(session: &Session, path: &Path) -> Result<Vec<SharedCost>, Failure> {
    let place: PathBuf = session.folder.join(path);
    let shown = path.display();
    let text = fs::read_to_string(place).map_err(|error| usage(format!("`{shown}` cannot be read")).because(error))?;
    let name = path.to_string_lossy();
    let mut sources = Sources::new();
    sources.add(name.as_ref(), text.as_str());
    let Json::Array(rules) = form::read_values(&name, &text).in_sources(&sources)? else {
        return Err(usage(format!("`{shown}` is no list of rules")).into());
    };
    let (mut read, mut problems) = (Vec::new(), Vec::new());
    for (number, rule) in (1..).zip(rules) {
        match serde_json::from_value::<SharedCost>(rule) {
            Ok(rule) => read.push(rule),
            Err(error) => problems.push(format!("\n  rule {number}: {error}")),
        }
    }
    if problems.is_empty() {
        return Ok(read);
    }
    let message = format!("the rules of `{shown}` cannot be read:{}", problems.concat());
    Err(Error::new(ErrorKind::InvalidInput, "cost.shared", message).into())
}
