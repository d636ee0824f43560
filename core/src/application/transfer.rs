use std::{collections::BTreeMap, fmt, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{
    Fact, Installation, OperationKind, Outcome, PackageRef, Standing, TransferId, Verb, fold::Folded, problem,
};
use crate::{
    catalog::View,
    error::{Diagnostics as _, Error, ErrorKind, Result},
    form::Inputs,
    plan::{self, FilesSeen, Replay},
    pricing::Line,
    stack::Handover,
    state::{
        Head, LedgerDraft, LedgerKey, RowStatus, RunId, StackKey,
        cipher::Cipher,
        codec::{ChainHash, Format, RecordSealer, Sealer},
    },
    template::{self, Edition, Files, Template, eval::FileAccess},
    value::{Marks, Value},
};

const DOCUMENT: Format = Format::new("stackwright.transfer", 1);
const RECEIPT: Format = Format::new("stackwright.receipt", 1);

/// The kind of the ledgers that say which way a transfer went.
const LEDGER: &str = "transfer";

/// What something was planned from.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) edition: Edition,
    pub(super) files: BTreeMap<String, Arc<str>>,
    /// What functions saw beside the template.
    pub(super) seen: FilesSeen,
}

/// A [`Source`] as it is stored, sealed: files may hold anything.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceDoc {
    edition: String,
    files: BTreeMap<String, Arc<str>>,
    /// In base64.
    contents: BTreeMap<String, String>,
    exists: BTreeMap<String, bool>,
    lists: BTreeMap<String, Vec<String>>,
    absolute: BTreeMap<String, String>,
}

impl Source {
    pub(super) fn of(inputs: &plan::Inputs) -> Self {
        Self { edition: inputs.edition, files: inputs.files.clone(), seen: Replay::of(inputs).seen }
    }

    pub(super) fn template(&self) -> Result<Template> {
        let texts = self.files.iter().map(|(path, text)| (path, Arc::clone(text)));
        let options = template::Options::default().edition(self.edition);
        let (template, problems) = Template::parse(&Files::from_texts(texts), &options);
        if problems.has_errors() {
            return Err(Error::from_diagnostics("template.invalid", problems));
        }
        Ok(template)
    }

    /// Returns the files that functions may read: those that they read before.
    pub(super) fn readable(&self) -> Arc<dyn FileAccess + Send + Sync> {
        Arc::new(Replay { seen: self.seen.clone() })
    }

    fn to_value(&self) -> Result<Value> {
        let contents = self.seen.contents.iter();
        let doc = SourceDoc {
            edition: self.edition.to_string(),
            files: self.files.clone(),
            contents: contents.map(|(path, bytes)| (path.clone(), STANDARD.encode(bytes))).collect(),
            exists: self.seen.exists.clone(),
            lists: self.seen.lists.clone(),
            absolute: self.seen.absolute.clone(),
        };
        let text = serde_json::to_string(&doc).map_err(|_| Error::bug("a template has no JSON form"))?;
        Ok(Value::string(text).with_marks(Marks::SENSITIVE))
    }

    pub(super) fn of_value(value: &Value) -> Option<Self> {
        let doc: SourceDoc = serde_json::from_str(value.unmark_deep().0.as_str()?).ok()?;
        let contents = doc.contents.into_iter();
        let contents = contents.map(|(path, text)| Some((path, Arc::from(STANDARD.decode(text).ok()?))));
        let seen = FilesSeen {
            contents: contents.collect::<Option<_>>()?,
            exists: doc.exists,
            lists: doc.lists,
            absolute: doc.absolute,
        };
        Some(Self { edition: doc.edition.parse().ok()?, files: doc.files, seen })
    }
}

/// What both documents look like from outside.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    transfer: TransferId,
    body: Json,
}

/// What a transfer carries, sealed as a whole.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    from: StackKey,
    head: ChainHash,
    app_id: Arc<str>,
    package: PackageRef,
    preset: Option<Arc<str>>,
    role: Option<Arc<str>>,
    lines: Vec<Line>,
    views: Vec<View>,
    variables: Json,
    inputs: Json,
    generated: Json,
    template: Json,
    /// Rows and outputs, as a store would keep them.
    rows: Vec<(crate::state::ObjectId, Arc<str>, u64, String)>,
    outputs: String,
}

/// An installation on its way to another tenant or platform: everything it has, what it was made from and what was filled
/// in. Made by [`Installation::export`]; cheap to clone.
///
/// It travels as bytes that only whoever has the key can read or make.
#[derive(Clone)]
pub struct Transfer {
    id: TransferId,
    body: Arc<Body>,
    made_with: Arc<MadeWith>,
    contents: Arc<Handover>,
}

/// What was filled in; holds secrets.
struct MadeWith {
    variables: Value,
    inputs: BTreeMap<Arc<str>, Value>,
    generated: BTreeMap<Arc<str>, Value>,
    source: Source,
}

impl Transfer {
    /// Opens what [`Installation::export`] made.
    ///
    /// # Errors
    /// `transfer.document` where it is none; `store.version` where a newer program made it; `cipher.open_failed` with another
    /// key, and where somebody changed it.
    pub fn open(bytes: &[u8], cipher: &Arc<dyn Cipher>) -> Result<Self> {
        let (id, body): (_, Body) = open(DOCUMENT, bytes, cipher)?;
        let seal = sealer(cipher).record("transfer", id);
        let value = |name, json: &Json| seal.decode_value(name, json).map_err(strange);
        let plain = |name, json: &Json| {
            let (value, _) = value(name, json)?.unmark_deep();
            Ok::<_, Error>(value.entries().map(|(name, value)| (Arc::clone(name), value.clone())).collect())
        };
        let source = Source::of_value(&value("template", &body.template)?).ok_or_else(no_document)?;
        let made_with = MadeWith {
            variables: value("variables", &body.variables)?,
            inputs: plain("inputs", &body.inputs)?,
            generated: plain("generated", &body.generated)?,
            source,
        };
        let rows =
            body.rows.iter().map(|(object, address, version, text)| (*object, Arc::clone(address), *version, text));
        let contents = Handover::decode(rows, body.outputs.as_bytes(), &sealer(cipher)).map_err(strange)?;
        Ok(Self { id, body: Arc::new(body), made_with: Arc::new(made_with), contents: Arc::new(contents) })
    }

    /// Returns what it is called.
    pub fn id(&self) -> TransferId {
        self.id
    }

    /// Returns where it comes from.
    pub fn from(&self) -> &StackKey {
        &self.body.from
    }

    /// Returns the version that is installed.
    pub fn package(&self) -> &PackageRef {
        &self.body.package
    }

    /// Returns how many objects it has.
    pub fn object_count(&self) -> usize {
        self.contents.rows.len()
    }

    /// Returns what was filled in, to install the same anew: in another account, where nothing of it can be taken over.
    /// What was generated is generated anew there. Holds secrets.
    pub fn inputs(&self) -> Inputs {
        let mut inputs = Inputs { preset: self.body.preset.clone(), ..Inputs::default() };
        inputs.values.extend(self.made_with.inputs.iter().map(|(name, value)| (Arc::clone(name), value.clone())));
        inputs
    }
}

impl fmt::Debug for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transfer").field("id", &self.id).field("from", &self.body.from).finish_non_exhaustive()
    }
}

/// Says that a transfer arrived: what whoever handed it over waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    transfer: TransferId,
    to: StackKey,
}

impl Receipt {
    /// Returns which transfer arrived.
    pub fn transfer(&self) -> TransferId {
        self.transfer
    }

    /// Returns where.
    pub fn to(&self) -> &StackKey {
        &self.to
    }

    /// Returns it as bytes that nobody without the key can make.
    ///
    /// # Errors
    /// What the cipher says.
    pub fn seal(&self, cipher: &Arc<dyn Cipher>) -> Result<Arc<[u8]>> {
        seal(RECEIPT, self.transfer, &self.to, cipher)
    }

    /// Opens what [`seal`](Self::seal) made.
    ///
    /// # Errors
    /// As [`Transfer::open`].
    pub fn open(bytes: &[u8], cipher: &Arc<dyn Cipher>) -> Result<Self> {
        let (transfer, to) = open(RECEIPT, bytes, cipher)?;
        Ok(Self { transfer, to })
    }
}

/// Which way a transfer went; the first word counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Way {
    Taken { to: StackKey },
    Withdrawn,
}

impl Installation {
    /// Takes everything out that another tenant or platform needs to go on with it, sealed with a key that both sides know.
    ///
    /// From then on nothing changes it here, until it is [handed over](Self::hand_over) or [kept](Self::keep): its objects
    /// have one owner at every moment. Doing it again gives the same transfer anew.
    ///
    /// # Errors
    /// `installation.denied`; `installation.standing` unless it is installed and its last change ended well;
    /// `installation.busy`, `installation.interrupted`; `plan.uncertain` where nobody knows what became of an object; those
    /// of store and cipher.
    pub async fn export(&self, cipher: &Arc<dyn Cipher>, why: &str) -> Result<Arc<[u8]>> {
        self.permit(Verb::Transfer, None, None).await?;
        self.settled().await?;
        let contents = self.stack.contents().await?;
        if let Some(row) = contents.rows.iter().find(|row| row.status == RowStatus::Uncertain) {
            let message = format!("nobody knows what became of `{}`; settle it first", row.address);
            return Err(Error::new(ErrorKind::Conflict, "plan.uncertain", message));
        }
        let fact = |transfer| Fact::Departing { transfer, by: (*self.apps.actor).clone(), why: why.into() };
        let transfer = TransferId::mint();
        let draft = LedgerDraft::new(&fact(transfer))?;
        let before = self
            .record(|folded| match folded.view.standing {
                Standing::Leaving => Ok(Vec::new()),
                Standing::Installed => Ok(vec![draft.clone()]),
                _ => Err(problem::standing(&folded.view, "handed over")),
            })
            .await?;
        // Read anew: it does not change any more.
        let (folded, contents) = (self.load().await?, self.stack.contents().await?);
        let transfer = before.leaves.unwrap_or(transfer);
        self.document(transfer, &folded, &contents, cipher).await
    }

    async fn document(
        &self,
        transfer: TransferId,
        folded: &Folded,
        contents: &Handover,
        cipher: &Arc<dyn Cipher>,
    ) -> Result<Arc<[u8]>> {
        let known = folded.good.as_ref().ok_or_else(|| problem::standing(&folded.view, "handed over"))?;
        let seal: RecordSealer = sealer(cipher).record("transfer", transfer);
        let (rows, outputs) = contents.encode(&sealer(cipher))?;
        let object = |values: &BTreeMap<Arc<str>, Value>| super::propose::sealed(values);
        let body = Body {
            from: self.key.clone(),
            head: folded.head.hash,
            app_id: Arc::clone(&folded.view.app_id),
            package: known.package.clone(),
            preset: known.preset.clone(),
            role: known.role.clone(),
            lines: known.lines.clone(),
            views: known.views.clone(),
            variables: seal.encode_value("variables", &known.variables)?,
            inputs: seal.encode_value("inputs", &object(&known.inputs))?,
            generated: seal.encode_value("generated", &object(&known.generated))?,
            template: seal.encode_value("template", &self.source_of(known).await?.to_value()?)?,
            rows,
            outputs,
        };
        self::seal(DOCUMENT, transfer, &body, cipher)
    }

    /// Takes over what was handed over: its objects belong to this installation from now on, as they are. Nothing is called
    /// but the gateway.
    ///
    /// The name has to be free. Doing it again gives the same receipt. What was filled in and generated comes along, and so
    /// do its template and the name that it has in tags; grants do not.
    ///
    /// # Errors
    /// `installation.denied`; `installation.standing`, `installation.occupied`, `installation.name`, `installation.busy`;
    /// `transfer.taken` where another installation took it, `transfer.withdrawn` where its owner kept it; `quota.exceeded`
    /// where the tenant may not have as much (it may go elsewhere then, unless others took the room meanwhile); those of the store
    /// and the gateway.
    ///
    /// # Idempotency
    /// After a crash at any moment, doing it again ends it.
    pub async fn import(&self, transfer: &Transfer, why: &str) -> Result<Receipt> {
        self.permit(Verb::Install, Some(&transfer.body.package), None).await?;
        super::propose::check_name(&self.key.name)?;
        let receipt = Receipt { transfer: transfer.id, to: self.key.clone() };
        let folded = self.settled().await?;
        if folded.came != Some(transfer.id) {
            if folded.view.standing != Standing::Removed {
                return Err(problem::standing(&folded.view, "taken over into"));
            }
            // Before the way of it is settled: what has no room here may go elsewhere.
            self.stack.refuse_rows(&transfer.contents.rows).await?;
            match self.claim(&transfer.body.from, transfer.id, &Way::Taken { to: self.key.clone() }).await? {
                Way::Taken { to } if to == self.key => {}
                Way::Taken { .. } => return Err(taken()),
                Way::Withdrawn => return Err(withdrawn()),
            }
            if !self.stack.receive(&transfer.contents).await? {
                return Err(problem::occupied(&self.key));
            }
            let draft = self.arrival(transfer, why)?;
            self.record(|folded| match folded.view.standing {
                _ if folded.came == Some(transfer.id) => Ok(Vec::new()),
                Standing::Removed => Ok(vec![draft.clone()]),
                _ => Err(problem::standing(&folded.view, "taken over into")),
            })
            .await?;
        }
        self.register(OperationKind::Install, Outcome::Succeeded).await?;
        Ok(receipt)
    }

    fn arrival(&self, transfer: &Transfer, why: &str) -> Result<LedgerDraft> {
        let (body, made_with) = (&transfer.body, &transfer.made_with);
        let fact = Fact::Arrived {
            transfer: transfer.id,
            by: (*self.apps.actor).clone(),
            why: why.into(),
            from: body.from.to_string().into(),
            head: body.head,
            app_id: Arc::clone(&body.app_id),
            package: body.package.clone(),
            preset: body.preset.clone(),
            role: body.role.clone(),
            lines: body.lines.clone(),
            views: body.views.clone(),
            run: RunId::mint(),
        };
        let sealed = super::propose::sealed;
        let draft = LedgerDraft::new(&fact)?.with("variables", made_with.variables.clone());
        let draft = draft.with("inputs", sealed(&made_with.inputs)).with("generated", sealed(&made_with.generated));
        Ok(draft.with("template", made_with.source.to_value()?))
    }

    /// Lets go of what arrived elsewhere: whatever it had belongs to the other installation now, and is forgotten here.
    ///
    /// # Errors
    /// `installation.denied`; `installation.standing` where it is not leaving; `transfer.receipt` for the receipt of another
    /// transfer; `transfer.withdrawn` where it was kept; those of the store and the gateway.
    ///
    /// # Idempotency
    /// After a crash at any moment, doing it again ends it; so does [`recover`](Self::recover).
    pub async fn hand_over(&self, receipt: &Receipt) -> Result<()> {
        self.permit(Verb::Transfer, None, None).await?;
        let folded = self.load().await?;
        if folded.leaves != Some(receipt.transfer) {
            return Err(match folded.view.standing {
                Standing::Leaving => Error::new(
                    ErrorKind::Conflict,
                    "transfer.receipt",
                    format!("this is the receipt of another transfer than the one that `{}` is on", self.key),
                ),
                _ => problem::standing(&folded.view, "handed over"),
            });
        }
        let way = Way::Taken { to: receipt.to.clone() };
        if self.claim(&self.key, receipt.transfer, &way).await? != way {
            return Err(withdrawn());
        }
        if let Some(gateway) = &self.apps.platform.inner.gateway {
            gateway.withdraw(&self.key.tenant, &self.key.name).await?;
        }
        let fact = Fact::Departed {
            transfer: receipt.transfer,
            by: (*self.apps.actor).clone(),
            to: receipt.to.to_string().into(),
        };
        let draft = LedgerDraft::new(&fact)?;
        self.record(|folded| match folded.view.standing {
            Standing::Leaving if folded.leaves == Some(receipt.transfer) => Ok(vec![draft.clone()]),
            _ => Ok(Vec::new()),
        })
        .await?;
        self.let_go().await
    }

    /// Does not hand it over after all: it can be changed here again.
    ///
    /// A document that is under way to another *store* must not be imported there any more, which nobody but you can see to;
    /// in the same store it cannot.
    ///
    /// # Errors
    /// `installation.denied`; `installation.standing` where it is not leaving; `transfer.taken` where it arrived already.
    ///
    /// # Idempotency
    /// After a crash at any moment, doing it again ends it.
    pub async fn keep(&self) -> Result<()> {
        self.permit(Verb::Transfer, None, None).await?;
        let folded = self.load().await?;
        let (Standing::Leaving, Some(transfer)) = (folded.view.standing, folded.leaves) else {
            return Err(problem::standing(&folded.view, "kept: it is not leaving"));
        };
        if self.claim(&self.key, transfer, &Way::Withdrawn).await? != Way::Withdrawn {
            return Err(taken());
        }
        let draft = LedgerDraft::new(&Fact::Kept { transfer, by: (*self.apps.actor).clone() })?;
        self.record(|folded| match folded.leaves {
            Some(leaves) if leaves == transfer => Ok(vec![draft.clone()]),
            _ => Ok(Vec::new()),
        })
        .await
        .map(drop)
    }

    /// Forgets what belongs to another installation now, where that was not done yet.
    pub(super) async fn let_go(&self) -> Result<()> {
        let folded = self.load().await?;
        match folded.view.standing {
            Standing::Removed if folded.leaves.is_some() => self.stack.let_go().await,
            _ => Ok(()),
        }
    }

    /// Says which way a transfer goes, unless that was said before; returns which way it is.
    async fn claim(&self, from: &StackKey, transfer: TransferId, way: &Way) -> Result<Way> {
        let key = LedgerKey::new(Arc::clone(&from.tenant), LEDGER, transfer.to_string());
        let ledger = self.apps.platform.engine().ledger(key);
        match ledger.append(&Head::default(), &[LedgerDraft::new(way)?]).await {
            Ok(_) => Ok(way.clone()),
            Err(error) if error.code() == "store.conflict" => {
                let history = ledger.load().await?;
                history.entries.first().ok_or(error)?.read()
            }
            Err(error) => Err(error),
        }
    }
}

fn sealer(cipher: &Arc<dyn Cipher>) -> Sealer {
    Sealer::new(Arc::clone(cipher), StackKey::new("", "transfer"))
}

fn seal(format: Format, transfer: TransferId, body: &impl Serialize, cipher: &Arc<dyn Cipher>) -> Result<Arc<[u8]>> {
    let bytes = serde_json::to_vec(body).map_err(|_| Error::bug("a transfer has no JSON form"))?;
    let body = sealer(cipher).record("transfer", transfer).seal_bytes("body", &bytes)?;
    format.write("transfer", &Envelope { transfer, body })
}

fn open<T: for<'de> Deserialize<'de>>(
    format: Format,
    bytes: &[u8],
    cipher: &Arc<dyn Cipher>,
) -> Result<(TransferId, T)> {
    let read = format.read("transfer", bytes).and_then(|document| document.payload());
    let Envelope { transfer, body } = read.map_err(strange)?;
    let seal = sealer(cipher).record("transfer", transfer);
    let plain = seal.open_bytes("body", &body).map_err(strange)?;
    let body = serde_json::from_slice(&plain).map_err(|_| no_document())?;
    Ok((transfer, body))
}

/// What a store would call corrupt is not stored here: somebody handed over what it is not.
fn strange(error: Error) -> Error {
    if error.code() == "store.corrupt" { no_document() } else { error }
}

fn no_document() -> Error {
    Error::new(ErrorKind::InvalidInput, "transfer.document", "this is no document of a transfer, or not all of it")
}

fn taken() -> Error {
    Error::new(ErrorKind::Conflict, "transfer.taken", "another installation took it over")
}

fn withdrawn() -> Error {
    Error::new(ErrorKind::Conflict, "transfer.withdrawn", "its owner kept it; ask for it again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_functions_saw_goes_along() {
        let source = Source {
            edition: Edition::Stackwright,
            files: [("main.tf".to_owned(), Arc::from("# hunter2"))].into(),
            seen: FilesSeen {
                contents: [("./a".to_owned(), Arc::from(&b"\xff\0"[..]))].into(),
                exists: [("./b".to_owned(), false)].into(),
                lists: [(".".to_owned(), vec!["a".to_owned()])].into(),
                absolute: [("a".to_owned(), "/a".to_owned())].into(),
            },
        };
        let value = source.to_value().expect("a value");
        assert!(value.is_sensitive());
        let back = Source::of_value(&value).expect("a source");
        assert_eq!((back.edition, &back.files, &back.seen), (source.edition, &source.files, &source.seen));
        assert!(Source::of_value(&Value::string("{}")).is_none());
    }
}
