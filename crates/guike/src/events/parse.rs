//! A body that tells of events to events, each member held against its rule.

use guike_core::{Day, Money, SECONDS_PER_DAY, Timestamp};
use serde_json::{Map, Value};

use super::Event;

/// Bytes of a customer's id.
const LONGEST_ID: usize = 200;
/// What an event tells.
pub(super) const MEMBERS: [&str; 3] = ["customer_id", "time", "amount"];

/// What kind of trouble it is, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventTrouble {
    /// The body is neither an event nor a list of events.
    Malformed,
    /// A member that events do not have.
    UnknownMember,
    /// A member is not there.
    MissingMember,
    /// A member says nothing that it can say.
    WrongValue,
    /// There are more events than are taken at a time.
    TooMany,
}

/// Why events are not taken; no value is repeated in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct EventError {
    /// The kind.
    pub trouble: EventTrouble,
    /// The event, from 1, where it is about one.
    pub row: Option<usize>,
    /// The member, where it is about one that events have.
    pub member: Option<&'static str>,
    /// The sentence that says what to do.
    pub detail: String,
}

/// Reads one event or a list of at most `most`; `now` is the end of what can have happened, but for a day of time zones.
///
/// # Errors
/// [`EventError`] for the first that is none; then none of them counts.
///
/// # Example
/// ```
/// use guike_core::{Day, Money};
/// let now = Day::from_ymd(2026, 11, 27).unwrap().start();
/// let body = br#"[{"customer_id":"C7","time":"2026-11-26T18:30:00","amount":12.5}]"#;
/// let events = guike::events::parse(body, 10, now).unwrap();
/// assert_eq!((events[0].customer_id.as_str(), events[0].amount), ("C7", Money(12_500_000)));
/// let late = br#"{"customer_id":"C7","time":"2027-01-01","amount":12.5}"#;
/// assert!(guike::events::parse(late, 10, now).is_err());
/// ```
pub fn parse(body: &[u8], most: usize, now: Timestamp) -> Result<Vec<Event>, EventError> {
    let of_body = |trouble, detail: String| EventError { trouble, row: None, member: None, detail };
    let rows = match serde_json::from_slice(body) {
        Ok(Value::Array(rows)) => rows,
        Ok(one @ Value::Object(_)) => vec![one],
        Ok(_) => return Err(of_body(EventTrouble::Malformed, "send an event or a list of events".to_owned())),
        // the words of the parser may hold a piece of the body
        Err(e) => {
            let place = format!("line {} column {}", e.line(), e.column());
            return Err(of_body(EventTrouble::Malformed, format!("the body stops being JSON at {place}")));
        }
    };
    if rows.is_empty() {
        return Err(of_body(EventTrouble::Malformed, "the list is empty; send an event".to_owned()));
    }
    if rows.len() > most {
        return Err(of_body(EventTrouble::TooMany, format!("there are more than {most} events; send them in parts")));
    }
    rows.into_iter().enumerate().map(|(i, row)| event(i + 1, row, now)).collect()
}

/// The event of a JSON object; `row` is what errors call it.
pub(super) fn event(row: usize, value: Value, now: Timestamp) -> Result<Event, EventError> {
    let about = |trouble, member, detail: String| EventError { trouble, row: Some(row), member, detail };
    let Value::Object(members) = value else {
        return Err(about(EventTrouble::Malformed, None, format!("event {row} is no object")));
    };
    if members.keys().any(|name| !MEMBERS.contains(&name.as_str())) {
        let detail = format!("event {row} has a member that is none of {}; leave it out", MEMBERS.join(", "));
        return Err(about(EventTrouble::UnknownMember, None, detail));
    }
    let member = |name: &'static str, rule: &str, found: fn(&Value, Timestamp) -> Option<Found>| {
        let value = given(&members, name).ok_or_else(|| {
            about(EventTrouble::MissingMember, Some(name), format!("event {row} has no `{name}`; add it"))
        })?;
        found(value, now).ok_or_else(|| {
            about(EventTrouble::WrongValue, Some(name), format!("`{name}` of event {row} must be {rule}"))
        })
    };
    let id = member("customer_id", "a text of 1 to 200 bytes without control characters, as the order log has it", id)?;
    let time = member("time", "`2026-11-27` or `2026-11-27T18:30:00`, the shop's own time, from 1970 until now", time)?;
    let amount = member("amount", "a number up to 10^12, below zero for money that was given back", amount)?;
    match (id, time, amount) {
        (Found::Id(customer_id), Found::Time(time), Found::Amount(amount)) => Ok(Event { customer_id, time, amount }),
        _ => unreachable!("each member has its own kind"),
    }
}

enum Found {
    Id(String),
    Time(Timestamp),
    Amount(Money),
}

fn given<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    members.get(name).filter(|v| !v.is_null())
}

fn id(value: &Value, _: Timestamp) -> Option<Found> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        // a log of numbers has the same digits
        Value::Number(n) if n.is_u64() => n.to_string(),
        _ => return None,
    };
    let fits = (1..=LONGEST_ID).contains(&text.len()) && !text.chars().any(char::is_control);
    fits.then_some(Found::Id(text))
}

fn amount(value: &Value, _: Timestamp) -> Option<Found> {
    value.as_f64().and_then(Money::from_units).map(Found::Amount)
}

fn time(value: &Value, now: Timestamp) -> Option<Found> {
    let text = value.as_str()?;
    let (day, clock) = text.split_once(['T', ' ']).map_or((text, None), |(day, clock)| (day, Some(clock)));
    let day: Day = day.parse().ok().filter(|_| day.len() == 10)?;
    let seconds = clock.map_or(Some(0), seconds_of)?;
    let time = Timestamp(day.start().0 + seconds);
    // a shop may be ahead of Greenwich
    (0..=now.0 + SECONDS_PER_DAY).contains(&time.0).then_some(Found::Time(time))
}

/// Seconds of `18:30` or `18:30:00`.
fn seconds_of(clock: &str) -> Option<i64> {
    let parts: Vec<&str> = clock.split(':').collect();
    let two = |text: &str, below: i64| {
        let is_two = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<i64>().ok().filter(|n| is_two && *n < below)
    };
    match parts[..] {
        [h, m] => Some(two(h, 24)? * 3600 + two(m, 60)? * 60),
        [h, m, s] => Some(two(h, 24)? * 3600 + two(m, 60)? * 60 + two(s, 60)?),
        _ => None,
    }
}
