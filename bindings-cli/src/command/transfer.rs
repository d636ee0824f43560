//! `app export`, `import`, `hand-over`, `keep`.

use std::{fs, path::Path, sync::Arc};

use stackwright::{
    application::{Installation, Receipt, Transfer},
    error::{Error, ErrorKind, Result},
    state::cipher::{AesGcmCipher, Cipher, KeyFile},
};

use super::Failure;
use crate::{arguments::Transferring, exit::Exit, private, session::Session};

pub(super) async fn export(
    session: &Session,
    one: &Installation,
    out: &Path,
    how: &Transferring,
) -> Result<Exit, Failure> {
    let place = session.folder.join(&how.key);
    let is_new = !place.exists();
    let key = KeyFile::open_or_create(&place)?;
    let cipher: Arc<dyn Cipher> = Arc::new(AesGcmCipher::new(key));
    let bytes = one.export(&cipher, &how.why).await?;
    write(session, out, &bytes)?;
    if is_new {
        say!("The key is new: {}. Send it another way than the document.", how.key.display());
    }
    say!("{} is in {}, and does not change here any more.", one.key(), out.display());
    say!("There: `stackwright -stack=TENANT/NAME app import {} -receipt=FILE -key=FILE`.", out.display());
    say!("Then here: `stackwright -stack={} app hand-over FILE -key={}`; or `app keep`.", one.key(), how.key.display());
    Ok(Exit::Success)
}

pub(super) async fn import(
    session: &Session,
    one: &Installation,
    document: &Path,
    receipt: &Path,
    how: &Transferring,
) -> Result<Exit, Failure> {
    let cipher = cipher(session, how)?;
    let transfer = Transfer::open(&read(session, document)?, &cipher)?;
    let arrived = one.import(&transfer, &how.why).await?;
    write(session, receipt, &arrived.seal(&cipher)?)?;
    let (package, from, count) = (transfer.package(), transfer.from(), transfer.object_count());
    let objects = if count == 1 { "object" } else { "objects" };
    say!("{} is {package} from {from}, with {count} {objects}.", one.key());
    say!("Send {} back: with it {from} is let go there.", receipt.display());
    Ok(Exit::Success)
}

pub(super) async fn hand_over(
    session: &Session,
    one: &Installation,
    receipt: &Path,
    how: &Transferring,
) -> Result<Exit, Failure> {
    let receipt = Receipt::open(&read(session, receipt)?, &cipher(session, how)?)?;
    one.hand_over(&receipt).await?;
    say!("{} is {} now; nothing of it is left here.", one.key(), receipt.to());
    Ok(Exit::Success)
}

pub(super) async fn keep(one: &Installation) -> Result<Exit, Failure> {
    one.keep().await?;
    say!("{} stays. The document that was exported must not be imported any more.", one.key());
    Ok(Exit::Success)
}

fn cipher(session: &Session, how: &Transferring) -> Result<Arc<dyn Cipher>> {
    Ok(Arc::new(AesGcmCipher::new(KeyFile::open(session.folder.join(&how.key))?)))
}

fn read(session: &Session, path: &Path) -> Result<Vec<u8>> {
    fs::read(session.folder.join(path)).map_err(|error| failed(path, "cannot be read", &error))
}

fn write(session: &Session, path: &Path, bytes: &[u8]) -> Result<()> {
    private::write(&session.folder.join(path), bytes).map_err(|error| failed(path, "cannot be written", &error))
}

fn failed(path: &Path, what: &str, error: &std::io::Error) -> Error {
    let message = format!("`{}` {what}: {}", path.display(), error.kind());
    Error::new(ErrorKind::InvalidInput, "cli.usage", message)
}
