use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::Stack;
use crate::{
    error::{Error, Result},
    state::{
        CheckResult, Commit, Lease, Lineage, ObjectId, Row, RowRecord, RowWrite, RunId, StackWrite,
        codec::{Output, Sealer, decode_checks, decode_outputs, decode_row, encode_row, encode_stack},
    },
};

/// What a stack has, to be given to another.
#[derive(Debug)]
pub(crate) struct Handover {
    pub(crate) rows: Vec<Row>,
    outputs: BTreeMap<String, Output>,
    checks: Vec<CheckResult>,
}

/// A row as it is stored: object, address, version, body.
pub(crate) type Stored = (ObjectId, Arc<str>, u64, String);

impl Handover {
    /// Returns rows and outputs as a store would keep them, sealed with another key.
    pub(crate) fn encode(&self, sealer: &Sealer) -> Result<(Vec<Stored>, String)> {
        let text = |bytes: &[u8]| {
            String::from_utf8(bytes.to_vec()).map_err(|_| Error::bug("what a store keeps of a stack is no text"))
        };
        let mut rows = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            let RowRecord { object_id, address, version, body } = encode_row(row, sealer)?;
            rows.push((object_id, address, version, text(&body)?));
        }
        Ok((rows, text(&encode_stack(&self.outputs, &self.checks, sealer)?)?))
    }

    /// Returns what [`encode`](Self::encode) encoded.
    pub(crate) fn decode<'a>(
        rows: impl IntoIterator<Item = (ObjectId, Arc<str>, u64, &'a String)>,
        outputs: &[u8],
        sealer: &Sealer,
    ) -> Result<Self> {
        let row = |(object_id, address, version, text): (ObjectId, Arc<str>, u64, &String)| {
            decode_row(&RowRecord { object_id, address, version, body: text.as_bytes().into() }, sealer)
        };
        Ok(Self {
            rows: rows.into_iter().map(row).collect::<Result<_>>()?,
            outputs: decode_outputs(outputs, sealer)?,
            checks: decode_checks(outputs, sealer)?,
        })
    }
}

impl Stack {
    /// Returns what it has. Refused while a run is unfinished.
    pub(crate) async fn contents(&self) -> Result<Handover> {
        self.refuse_unfinished().await?;
        let state = self.state().await?;
        Ok(Handover { rows: state.rows, outputs: state.outputs, checks: state.checks })
    }

    /// Takes over what another stack had, in one commit; where it did already, nothing changes. Returns `false`, and does
    /// nothing, where it has anything else. Refused where its tenant may not have as much.
    pub(crate) async fn receive(&self, contents: &Handover) -> Result<bool> {
        let lease = self.acquire("import").await?;
        let result = self.receive_leased(contents, &lease).await;
        let released = self.store().release(&lease).await;
        let received = result?;
        released.map(|()| received)
    }

    async fn receive_leased(&self, contents: &Handover, lease: &Lease) -> Result<bool> {
        self.refuse_unfinished().await?;
        let sealer = self.sealer();
        let there: BTreeSet<_> =
            self.store().load_rows(&self.key).await?.into_iter().map(|row| row.object_id).collect();
        let theirs = contents.rows.iter().map(|row| row.object_id).collect();
        if !there.is_subset(&theirs) {
            return Ok(false);
        }
        if !there.is_empty() {
            // One commit brought all of them, or none.
            return Ok(true);
        }
        let puts = contents.rows.iter().map(|row| encode_row(row, &sealer).map(RowWrite::Put));
        let puts = puts.collect::<Result<_>>()?;
        let id = RunId::mint();
        self.reserve_rows(&contents.rows, id).await?;
        let replaced = self.replace(puts, &contents.outputs, &contents.checks, lease).await;
        // Whoever needs the room finds out, too.
        let _ = self.settle_quota(Some(id)).await;
        replaced.map(|()| true)
    }

    /// Forgets everything it has, in one commit: that belongs to another stack now. Nothing is called.
    pub(crate) async fn let_go(&self) -> Result<()> {
        let lease = self.acquire("hand over").await?;
        let result = self.let_go_leased(&lease).await;
        let released = self.store().release(&lease).await;
        result.and(released)
    }

    async fn let_go_leased(&self, lease: &Lease) -> Result<()> {
        self.refuse_unfinished().await?;
        let rows = self.store().load_rows(&self.key).await?;
        let gone = rows.into_iter().map(|row| RowWrite::Delete(row.object_id)).collect();
        self.replace(gone, &BTreeMap::new(), &[], lease).await?;
        let _ = self.settle_quota(None).await;
        Ok(())
    }

    async fn replace(
        &self,
        rows: Vec<RowWrite>,
        outputs: &BTreeMap<String, Output>,
        checks: &[CheckResult],
        lease: &Lease,
    ) -> Result<()> {
        let lineage = self.store().load_stack(&self.key).await?.map_or_else(Lineage::mint, |record| record.lineage);
        let body = encode_stack(outputs, checks, &self.sealer())?;
        let stack = Some(StackWrite { lineage, body });
        self.store().commit(lease, Commit { rows, stack, ..Commit::default() }).await
    }
}
