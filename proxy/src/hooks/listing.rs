//! `GET /v1/models` and `GET /v1/models/{id}`: what can be asked for at present.
//!
//! Answered from what the replicas told the prober, so at once, and whole also while some of them are down.
//! Each entry is what a replica says about the model; an alias has the entry of its model under its own name.

use pingora::prelude::{Result, Session};
use record::Name;
use serde_json::{Value, json};

use crate::hooks::Hooks;
use crate::hooks::answer::{Refusal, send_json};
use crate::hooks::context::Ctx;
use crate::routes;

// === impl Hooks ===

impl Hooks {
    /// Answers, and says whether it did. While no replica has told what it serves, the list is a replica's to
    /// give: it may ask for a key that we do not have.
    pub(super) async fn list_models(&self, session: &mut Session, ctx: &mut Ctx) -> Result<bool> {
        let wanted = routes::model_id(session.req_header().raw_path());
        let known = self.shared.fleet.catalogue();
        let Some(wanted) = wanted else {
            if known.is_empty() {
                return Ok(false);
            }
            let entries: Vec<Value> = known
                .iter()
                .map(|(name, card)| self.entry(name, card.as_deref()))
                .collect();
            send_json(session, ctx, &json!({"object": "list", "data": entries})).await?;
            return Ok(true);
        };
        match known.iter().find(|(name, _)| **name == *wanted) {
            Some((name, card)) => send_json(session, ctx, &self.entry(name, card.as_deref())).await?,
            None => {
                Refusal::unknown_model(Some(&wanted.into()))
                    .send(session, ctx)
                    .await?;
            }
        }
        Ok(true)
    }

    /// OpenAI's clients want `created` and `owned_by`; where no replica says, it is us, since our start.
    fn entry(&self, name: &Name, card: Option<&Value>) -> Value {
        let own = || {
            let created = self.shared.started_at().0 / 1_000;
            json!({"object": "model", "created": created, "owned_by": "streamgauge"})
        };
        let mut entry = card.cloned().unwrap_or_else(own);
        if let Some(fields) = entry.as_object_mut() {
            fields.insert("id".to_owned(), Value::from(&**name));
        }
        entry
    }
}
