use super::{Installation, OperationId, OperationKind, Outcome, Verb, installation::Truth};
use crate::error::Result;

/// What became of a change whose process died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovered {
    /// Nothing is open.
    Nothing,
    /// Somebody carries it out.
    Busy(OperationId),
    /// It began, and nobody goes on: resume it, or give it up.
    Interrupted(OperationId, OperationKind),
    /// It ended like that (or never began), and nobody had noted it; now it is.
    Noted(OperationId, Outcome),
}

impl Installation {
    /// Finds out what became of changes and actions whose process died, and writes down what is certain. To be called when
    /// a host starts; calling it at any other time does no harm.
    ///
    /// # Errors
    /// `installation.denied`; those of [`Ledger::load`](crate::state::Ledger::load) and of the gateway.
    ///
    /// # Idempotency
    /// What is noted once is not noted again.
    pub async fn recover(&self) -> Result<Recovered> {
        self.permit(Verb::Recover, None, None).await?;
        let folded = self.load().await?;
        let now = self.now();
        for (&operation, _) in folded.open_actions.iter().filter(|(_, deadline)| **deadline <= now) {
            self.note_end(operation, Outcome::Interrupted, Vec::new()).await?;
        }
        let (Some(open), Some(truth)) = (folded.in_question(), self.truth(&folded).await?) else {
            // What was handed over may not all be forgotten.
            self.let_go().await?;
            return Ok(Recovered::Nothing);
        };
        let (operation, kind) = (open.operation, open.kind);
        match truth {
            Truth::Busy => Ok(Recovered::Busy(operation)),
            Truth::Interrupted => Ok(Recovered::Interrupted(operation, kind)),
            Truth::Ended(outcome) => {
                self.register(kind, outcome).await?;
                self.note_end(operation, outcome, Vec::new()).await?;
                Ok(Recovered::Noted(operation, outcome))
            }
        }
    }
}
