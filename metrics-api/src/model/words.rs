//! Closed sets of words as JSON and the OpenAPI document show them.
//!
//! Each schema is made from the list that the code itself uses, so that a new word cannot be forgotten.

use std::borrow::Cow;

use ledger::{By, Dimension, Metric, Unit};
use record::{
    AttemptEnd, Dialect, Endpoint, FinishReason, Outcome, Policy, ReplicaState, ResponseFormat, ServiceTier,
    UsageSource,
};
use serde::{Serialize, Serializer};
use utoipa::openapi::schema::{AnyOfBuilder, ObjectBuilder, Type};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// Wraps an enum of words for serde and for OpenAPI, where it becomes a schema with a name.
macro_rules! word {
    ($(#[doc = $doc:literal])+ $wrapper:ident, $inner:ty, $name:literal) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub(crate) struct $wrapper(pub(crate) $inner);

        impl Serialize for $wrapper {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.0.as_str())
            }
        }

        impl PartialSchema for $wrapper {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .enum_values(Some(<$inner>::ALL.iter().map(|word| word.as_str())))
                    .description(Some(concat!($($doc),+).trim()))
                    .into()
            }
        }

        impl ToSchema for $wrapper {
            fn name() -> Cow<'static, str> {
                $name.into()
            }
        }
    };
}

word! {
    /// What a request asked for, by its path.
    EndpointWord, Endpoint, "Endpoint"
}
word! {
    /// The wire format of an answer.
    DialectWord, Dialect, "Dialect"
}
word! {
    /// How a request ended. Failures are all but `success`, `client_error` and `client_cancelled`.
    OutcomeWord, Outcome, "Outcome"
}
word! {
    /// Why a generation ended, in one vocabulary for all servers.
    FinishReasonWord, FinishReason, "FinishReason"
}
word! {
    /// Where token counts come from, best first. `final`, `continuous` and `timings` are exact.
    UsageSourceWord, UsageSource, "UsageSource"
}
word! {
    /// Whether a replica takes requests. `unknown`: not probed yet, and takes requests.
    ReplicaStateWord, ReplicaState, "ReplicaState"
}
word! {
    /// The form of answer that a request asked for.
    ResponseFormatWord, ResponseFormat, "ResponseFormat"
}
word! {
    /// The class of service that a request asked for.
    ServiceTierWord, ServiceTier, "ServiceTier"
}
word! {
    /// How a replica is chosen.
    PolicyWord, Policy, "Policy"
}
word! {
    /// How an attempt on a replica ended.
    AttemptEndWord, AttemptEnd, "AttemptEnd"
}
word! {
    /// What answers can be split by.
    DimensionWord, Dimension, "Dimension"
}
word! {
    /// What a time series shows.
    MetricWord, Metric, "Metric"
}
/// What answers are split by: a dimension, or a tag.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ByWord(pub(crate) By);

/// The unit of a series' values.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct UnitWord(pub(crate) Unit);

// === impl ByWord ===

impl Serialize for ByWord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl PartialSchema for ByWord {
    fn schema() -> RefOr<Schema> {
        AnyOfBuilder::new()
            .item(Ref::from_schema_name("Dimension"))
            .item(
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .pattern(Some("^tag\\..+$"))
                    .description(Some("A configured tag: `tag.team` for a tag `team`.")),
            )
            .description(Some(
                "What answers are split by: a dimension, or a tag. Requests without the tag are in no row.",
            ))
            .into()
    }
}

impl ToSchema for ByWord {
    fn name() -> Cow<'static, str> {
        "By".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push(("Dimension".to_owned(), DimensionWord::schema()));
    }
}

// === impl UnitWord ===

impl Serialize for UnitWord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

impl PartialSchema for UnitWord {
    fn schema() -> RefOr<Schema> {
        let units = [Unit::Count, Unit::Ratio, Unit::Milliseconds, Unit::PerSecond];
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(units.map(Unit::as_str)))
            .description(Some(
                "The unit of a series' values: a number of requests, a share from 0 to 1, milliseconds, or \
                 something (requests, tokens) per second.",
            ))
            .into()
    }
}

impl ToSchema for UnitWord {
    fn name() -> Cow<'static, str> {
        "Unit".into()
    }
}
