//! Moments and durations, as texts in RFC 3339 and in Go's notation.

use std::cmp::Ordering;

use super::{
    Function, Functions,
    clock::{Timestamp, parse_duration},
    string::string,
};
use crate::{
    template::eval::{ObservationKind, Problem},
    value::{Type, Value},
};

pub(super) fn register(table: &mut Functions) {
    table.add(
        Function::new("formatdate", "Returns a timestamp laid out by verbs such as `YYYY-MM-DD`.")
            .takes([string("format"), string("time")])
            .returns(Type::String)
            .computes(|call| {
                let time = Timestamp::parse(call.text(1)).map_err(|why| Problem::argument(1, why))?;
                call.string(time.format(call.text(0)).map_err(|why| Problem::argument(0, why))?)
            }),
    );
    table.add(
        Function::new("timeadd", "Returns a timestamp moved by a duration such as `1h30m`.")
            .takes([string("timestamp"), string("duration")])
            .returns(Type::String)
            .may_return_null()
            .computes(|call| {
                let time = Timestamp::parse(call.text(0)).map_err(|why| Problem::argument(0, why))?;
                let duration = parse_duration(call.text(1)).map_err(|why| Problem::argument(1, why))?;
                Ok(Value::string(time.add(duration).map_err(|why| Problem::argument(1, why))?.rfc3339()))
            }),
    );
    table.add(
        Function::new("timecmp", "Returns -1, 0 or 1: whether a timestamp is before, at or after another.")
            .takes([string("timestamp_a"), string("timestamp_b")])
            .returns(Type::Number)
            .computes(|call| {
                let read = |idx| Timestamp::parse_loosely(call.text(idx)).map_err(|why| Problem::argument(idx, why));
                Ok(Value::number(match read(0)?.compare(read(1)?) {
                    Ordering::Less => -1,
                    Ordering::Equal => 0,
                    Ordering::Greater => 1,
                }))
            }),
    );
    let observed = |name: &'static str, summary: &'static str, kind: ObservationKind| {
        Function::new(name, summary).returns(Type::String).computes(move |call| {
            Ok(call.context.observe(kind).map_or_else(|| Value::unknown(Type::String), Value::string))
        })
    };
    table.add(observed(
        "timestamp",
        "Returns the time of applying; not known while planning.",
        ObservationKind::Timestamp,
    ));
    table.add(observed("plantimestamp", "Returns the time of planning.", ObservationKind::PlanTimestamp));
    table.add(observed("uuid", "Returns a new random UUID; not known while planning.", ObservationKind::Uuid));
}
