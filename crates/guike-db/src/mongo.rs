//! MongoDB: documents as rows, what is nested in them as columns with a dot in the name.

use mongodb::bson::{Bson, DateTime, Document, RawBsonRef, RawDocument, RawDocumentBuf, doc, oid::ObjectId};
use mongodb::error::{Error, ErrorKind};
use mongodb::options::{ClientOptions, Tls, TlsOptions};
use mongodb::{Client, Database};
use serde_json::Value;

use crate::error::DbError;
use crate::location::Location;
use crate::rows::{Request, TakeRows, What};
use crate::session::{Told, attentive};
use crate::since::LookBack;
use crate::sql::no_table;

/// Rows from which the columns are found.
const SETTLING: usize = 20_000;
/// Documents per message.
const BATCH: u32 = 2_000;
/// Columns that are named in a remark, at most.
const UNREAD: usize = 20;

/// A connection to a database of MongoDB.
#[derive(Debug)]
pub(crate) struct Mongo {
    place: Location,
    pub(crate) database: Database,
}

impl Mongo {
    pub(crate) async fn open(place: &Location) -> Result<Mongo, DbError> {
        let failed = |e: Error| connect_error(place, &e);
        let name = place.database().ok_or_else(|| DbError::Address {
            address: place.to_string(),
            rule: "it names no database; write mongodb://user@host/database".to_owned(),
        })?;
        if offset(place).is_none() {
            return Err(DbError::Address {
                address: place.to_string(),
                rule: "its time zone is no offset; write ?timezone=%2B08:00 for MongoDB".to_owned(),
            });
        }
        let mut options = ClientOptions::parse(place.address()).await.map_err(failed)?;
        options.app_name = Some("guike".to_owned());
        options.server_selection_timeout = Some(std::time::Duration::from_secs(10));
        if place.wants_tls() && options.tls.is_none() {
            options.tls = Some(Tls::Enabled(TlsOptions::default()));
        }
        // a server that knows no users is asked without one, whatever the environment holds
        if let Some(credential) = options.credential.as_mut().filter(|c| c.username.is_some()) {
            credential.password = place.password().map(str::to_owned).or(credential.password.take());
        }
        let client = Client::with_options(options).map_err(failed)?;
        let database = client.database(name);
        database.run_command(doc! { "ping": 1 }).await.map_err(failed)?;
        Ok(Mongo { place: place.clone(), database })
    }

    pub(crate) async fn tables(&mut self) -> Result<Vec<String>, DbError> {
        let mut names =
            self.database.list_collection_names().await.map_err(|e| self.failed(&e, "list its collections"))?;
        names.retain(|name| !name.starts_with("system."));
        names.sort();
        Ok(names)
    }

    async fn must_have(&mut self, collection: &str) -> Result<(), DbError> {
        let names = self.tables().await?;
        if names.iter().any(|n| n == collection) {
            return Ok(());
        }
        Err(no_table(&self.place, collection, names.into_iter()))
    }

    pub(crate) async fn about_rows(&mut self, collection: &str) -> Result<Option<u64>, DbError> {
        let documents = self.database.collection::<RawDocumentBuf>(collection);
        documents.estimated_document_count().await.map(Some).map_err(|e| self.failed(&e, "count documents"))
    }

    fn failed(&self, error: &Error, action: &str) -> DbError {
        statement_error(&self.place, error, action)
    }

    pub(crate) async fn highest(&mut self, collection: &str, field: &str) -> Result<Option<String>, DbError> {
        self.must_have(collection).await?;
        let action = format!("find the highest `{field}` of `{collection}`");
        let documents = self.database.collection::<Document>(collection);
        // nothing is below every value: a document without the field comes first only where none has it
        let found = documents.find_one(doc! {}).sort(doc! { field: -1 }).projection(doc! { field: 1 });
        let Some(found) = found.await.map_err(|e| self.failed(&e, &action))? else { return Ok(None) };
        let mut value = Some(Bson::Document(found));
        for part in field.split('.') {
            value = value.and_then(|v| v.as_document().and_then(|d| d.get(part)).cloned()).filter(|v| *v != Bson::Null);
        }
        match value.as_ref().map(border) {
            None => Ok(None),
            Some(Some(border)) => Ok(Some(border)),
            Some(None) => Err(DbError::Unfit {
                place: self.place.to_string(),
                rule: format!(
                    "field `{field}` of `{collection}` holds neither numbers, times nor object ids, which grow"
                ),
            }),
        }
    }

    pub(crate) async fn read(&mut self, request: &Request, taker: &mut dyn TakeRows) -> Result<Told, DbError> {
        let place = self.place.clone();
        let What::Table(name) = &request.what else {
            return Err(DbError::Unfit {
                place: place.to_string(),
                rule: "MongoDB answers no SQL; name a collection or a view with --table".to_owned(),
            });
        };
        self.must_have(name).await?;
        let action = format!("read `{name}`");
        let mut filter = Document::new();
        if let Some(since) = &request.since {
            let value = border_value(&since.value).ok_or_else(|| DbError::Unfit {
                place: place.to_string(),
                rule: format!("`{}` is no border of a field", since.value),
            })?;
            filter.insert(since.column.clone(), doc! { "$gte": value });
        }
        let documents = self.database.collection::<RawDocumentBuf>(name);
        let limit = request.most.and_then(|n| i64::try_from(n).ok()).unwrap_or(0);
        let found = documents.find(filter).sort(doc! { "_id": 1 }).allow_disk_use(true).batch_size(BATCH).limit(limit);
        let mut cursor =
            attentive(&place, &*taker, async { found.await.map_err(|e| self.failed(&e, &action)) }).await?;
        let mut rows = Rows::new(&request.named, request.most, taker);
        while attentive(&place, &*rows.taker, async { cursor.advance().await.map_err(|e| self.failed(&e, &action)) })
            .await?
        {
            let damaged = |e: mongodb::bson::error::Error| DbError::Refused {
                place: place.to_string(),
                action: action.clone(),
                detail: format!("a document cannot be read ({e})"),
            };
            for row in rows_of(cursor.current(), request.unwind.as_deref(), &place).map_err(damaged)? {
                rows.push(row)?;
            }
        }
        rows.finish()
    }
}

/// A row whose columns are not in an order yet.
type Loose = Vec<(String, Option<String>)>;

/// Puts loose rows into columns: those that the first rows have, in the order of their first sight, and those that were named.
struct Rows<'a> {
    names: Vec<String>,
    settled: bool,
    waiting: Vec<Loose>,
    most: u64,
    told: Told,
    taker: &'a mut dyn TakeRows,
}

impl<'a> Rows<'a> {
    fn new(named: &[String], most: Option<u64>, taker: &'a mut dyn TakeRows) -> Rows<'a> {
        let (names, most) = (named.to_vec(), most.unwrap_or(u64::MAX));
        Rows { names, settled: false, waiting: Vec::new(), most, told: Told::default(), taker }
    }

    fn push(&mut self, row: Loose) -> Result<(), DbError> {
        if self.settled {
            return self.hand_on(&row);
        }
        self.waiting.push(row);
        if self.waiting.len() == SETTLING { self.settle() } else { Ok(()) }
    }

    fn settle(&mut self) -> Result<(), DbError> {
        self.settled = true;
        // names that were asked for and that documents have keep the documents' order
        let mut seen: Vec<String> = Vec::new();
        for (name, _) in self.waiting.iter().flatten() {
            if !seen.contains(name) {
                seen.push(name.clone());
            }
        }
        let asked: Vec<String> = self.names.drain(..).filter(|n| !seen.contains(n)).collect();
        self.names = seen;
        self.names.extend(asked);
        self.taker.columns(&self.names).map_err(DbError::Taker)?;
        for row in std::mem::take(&mut self.waiting) {
            self.hand_on(&row)?;
        }
        Ok(())
    }

    fn hand_on(&mut self, row: &Loose) -> Result<(), DbError> {
        if self.told.rows == self.most {
            return Ok(());
        }
        let mut cells: Vec<Option<&[u8]>> = vec![None; self.names.len()];
        for (i, (name, cell)) in row.iter().enumerate() {
            // documents mostly have their fields in one order
            let slot =
                if self.names.get(i) == Some(name) { Some(i) } else { self.names.iter().position(|n| n == name) };
            match slot {
                Some(slot) => cells[slot] = cell.as_deref().map(str::as_bytes),
                None if cell.is_some() && self.told.unread.len() < UNREAD && !self.told.unread.contains(name) => {
                    self.told.unread.push(name.clone());
                }
                None => {}
            }
        }
        self.told.rows += 1;
        self.taker.row(&cells).map_err(DbError::Taker)
    }

    fn finish(mut self) -> Result<Told, DbError> {
        if !self.settled {
            self.settle()?;
        }
        Ok(self.told)
    }
}

/// The rows of a document: one, or one for each element of the array at `unwind`.
fn rows_of(document: &RawDocument, unwind: Option<&str>, place: &Location) -> mongodb::bson::error::Result<Vec<Loose>> {
    let mut whole = Flat { row: Vec::new(), elements: None, unwind, place };
    whole.document("", document)?;
    let Flat { row, elements, .. } = whole;
    let Some(elements) = elements else { return Ok(vec![row]) };
    Ok(elements
        .into_iter()
        .map(|element| {
            let mut one = row.clone();
            one.extend(element);
            one
        })
        .collect())
}

/// A document on its way to flat cells.
struct Flat<'a> {
    row: Loose,
    elements: Option<Vec<Loose>>,
    unwind: Option<&'a str>,
    place: &'a Location,
}

impl Flat<'_> {
    fn document(&mut self, prefix: &str, document: &RawDocument) -> mongodb::bson::error::Result<()> {
        for field in document.iter() {
            let (key, value) = field?;
            let key = key.as_str();
            let name = if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") };
            self.value(name, value)?;
        }
        Ok(())
    }

    fn value(&mut self, name: String, value: RawBsonRef<'_>) -> mongodb::bson::error::Result<()> {
        match value {
            RawBsonRef::Document(inner) => self.document(&name, inner)?,
            RawBsonRef::Array(array) if self.unwind == Some(name.as_str()) => {
                let mut elements = Vec::new();
                for element in array {
                    let mut flat = Flat { row: Vec::new(), elements: None, unwind: None, place: self.place };
                    flat.value(name.clone(), element?)?;
                    elements.push(flat.row);
                }
                self.elements = Some(elements);
            }
            value => self.row.push((name, cell(value, self.place))),
        }
        Ok(())
    }
}

/// A value as a cell.
fn cell(value: RawBsonRef<'_>, place: &Location) -> Option<String> {
    Some(match value {
        RawBsonRef::Null | RawBsonRef::Undefined | RawBsonRef::MinKey | RawBsonRef::MaxKey => return None,
        RawBsonRef::String(text) | RawBsonRef::Symbol(text) | RawBsonRef::JavaScriptCode(text) => text.to_owned(),
        RawBsonRef::Double(x) if x.is_nan() => return None,
        RawBsonRef::Double(x) => x.to_string(),
        RawBsonRef::Int32(n) => n.to_string(),
        RawBsonRef::Int64(n) => n.to_string(),
        RawBsonRef::Decimal128(n) => n.to_string(),
        RawBsonRef::Boolean(yes) => yes.to_string(),
        RawBsonRef::ObjectId(id) => id.to_hex(),
        RawBsonRef::DateTime(time) => civil(time, place),
        RawBsonRef::Timestamp(at) => civil(DateTime::from_millis(i64::from(at.time) * 1000), place),
        RawBsonRef::Binary(binary) => binary.bytes.iter().map(|b| format!("{b:02x}")).collect(),
        other => json(other, place).to_string(),
    })
}

/// What stays nested, as JSON.
fn json(value: RawBsonRef<'_>, place: &Location) -> Value {
    match value {
        RawBsonRef::Array(array) => {
            Value::Array(array.into_iter().filter_map(Result::ok).map(|v| json(v, place)).collect())
        }
        RawBsonRef::Document(document) => {
            let fields = document.iter().filter_map(Result::ok);
            Value::Object(fields.map(|(k, v)| (k.as_str().to_owned(), json(v, place))).collect())
        }
        RawBsonRef::Boolean(yes) => yes.into(),
        RawBsonRef::Int32(n) => n.into(),
        RawBsonRef::Int64(n) => n.into(),
        RawBsonRef::Double(x) => x.into(),
        RawBsonRef::RegularExpression(_) | RawBsonRef::JavaScriptCodeWithScope(_) | RawBsonRef::DbPointer(_) => {
            Value::Null
        }
        other => cell(other, place).map_or(Value::Null, Value::String),
    }
}

/// Milliseconds by which clocks at `+08:00` are ahead; 0 where nothing or UTC is named, `None` for the name of a zone.
fn offset(place: &Location) -> Option<i64> {
    let Some(zone) = place.timezone().filter(|z| !z.eq_ignore_ascii_case("utc")) else { return Some(0) };
    let sign = match zone.get(..1)? {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    Some(sign * (hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?) * 60_000)
}

/// A moment as the clock of the shop showed it.
fn civil(time: DateTime, place: &Location) -> String {
    let local = DateTime::from_millis(time.timestamp_millis().saturating_add(offset(place).unwrap_or(0)));
    let text = local.try_to_rfc3339_string().unwrap_or_else(|_| local.timestamp_millis().to_string());
    text.trim_end_matches('Z').replacen('T', " ", 1)
}

/// A value that grows, with its kind: a border must be of the kind of the field.
fn border(value: &Bson) -> Option<String> {
    Some(match value {
        Bson::DateTime(time) => format!("time {}", time.timestamp_millis()),
        Bson::Int32(n) => format!("number {n}"),
        Bson::Int64(n) => format!("number {n}"),
        Bson::ObjectId(id) => format!("id {}", id.to_hex()),
        Bson::String(text) => format!("text {text}"),
        _ => return None,
    })
}

fn border_value(border: &str) -> Option<Bson> {
    let (kind, value) = border.split_once(' ')?;
    Some(match kind {
        "time" => Bson::DateTime(DateTime::from_millis(value.parse().ok()?)),
        "number" => Bson::Int64(value.parse().ok()?),
        "id" => Bson::ObjectId(ObjectId::parse_str(value).ok()?),
        "text" => Bson::String(value.to_owned()),
        _ => return None,
    })
}

/// The border `back` below `highest`. The first four bytes of an object id are the second in which it was made.
pub(crate) fn step_back(highest: &str, back: LookBack) -> Option<String> {
    Some(match (border_value(highest)?, back) {
        (Bson::DateTime(time), LookBack::Seconds(n)) => {
            let millis = i64::try_from(n).ok()?.checked_mul(1000)?;
            format!("time {}", time.timestamp_millis().checked_sub(millis)?)
        }
        (Bson::Int64(number), LookBack::Units(n)) => format!("number {}", number.checked_sub(i64::try_from(n).ok()?)?),
        (Bson::ObjectId(id), LookBack::Seconds(n)) => {
            let made = id.timestamp().timestamp_millis() / 1000 - i64::try_from(n).ok()?;
            format!("id {:08x}{}", u32::try_from(made.max(0)).ok()?, "0".repeat(16))
        }
        _ => return None,
    })
}

/// A border without its kind.
pub(crate) fn border_shown(border: &str, place: &Location) -> String {
    match border_value(border) {
        Some(Bson::DateTime(time)) => civil(time, place),
        _ => border.split_once(' ').map_or(border, |(_, value)| value).to_owned(),
    }
}

/// What a failed connection means.
pub(crate) fn connect_error(place: &Location, error: &Error) -> DbError {
    let words = place.without_secret(&words(error));
    let (detail, passing) = match &*error.kind {
        ErrorKind::ServerSelection { .. } | ErrorKind::Io(_) | ErrorKind::DnsResolve { .. } => {
            let tls = if place.wants_tls() {
                "; what leaves this machine is encrypted unless ?tls=false stands behind the address"
            } else {
                ""
            };
            (format!("{words}; check host, port and whether the server runs{tls}"), true)
        }
        _ => (words, false),
    };
    DbError::Connect { place: place.to_string(), detail, passing }
}

/// What a failed command means.
pub(crate) fn statement_error(place: &Location, error: &Error, action: &str) -> DbError {
    let detail = place.without_secret(&words(error));
    let lost = matches!(
        &*error.kind,
        ErrorKind::Io(_)
            | ErrorKind::ServerSelection { .. }
            | ErrorKind::ConnectionPoolCleared { .. }
            | ErrorKind::Shutdown
    ) || matches!(&*error.kind, ErrorKind::Command(c) if matches!(c.code, 43 | 91 | 189 | 11600 | 11602 | 13435 | 13436));
    match lost {
        true => DbError::Lost { place: place.to_string(), when: format!("on the way to {action}"), detail },
        false => DbError::Refused { place: place.to_string(), action: action.to_owned(), detail },
    }
}

/// The driver's words without its own decoration, in one line.
fn words(error: &Error) -> String {
    let text = match &*error.kind {
        ErrorKind::Command(command) => format!("{} ({})", command.message, command.code_name),
        ErrorKind::Authentication { message, .. } => message.clone(),
        other => other.to_string(),
    };
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use mongodb::bson::rawdoc;

    fn place(text: &str) -> Location {
        Location::parse(text).expect("an address").expect("whole")
    }

    #[test]
    fn an_order_with_lines_is_a_row_for_each_line() {
        let order = rawdoc! {
            "_id": ObjectId::parse_str("665f1f77bcf86cd799439011").expect("an id"),
            "buyer": { "id": "客1", "vip": true },
            "at": DateTime::from_millis(1_714_557_600_500),
            "lines": [ { "sku": "A", "n": 2_i64 }, { "sku": "B", "price": 1.5 } ],
            "tags": ["x", 3],
            "gone": null,
        };
        let here = place("mongodb://localhost/shop?timezone=%2B08:00");
        let rows = rows_of(&order, Some("lines"), &here).expect("readable");
        assert_eq!(rows.len(), 2);
        let get = |row: &Loose, name: &str| row.iter().find(|(n, _)| n == name).and_then(|(_, c)| c.clone());
        assert_eq!(get(&rows[0], "_id").as_deref(), Some("665f1f77bcf86cd799439011"));
        assert_eq!(get(&rows[1], "buyer.id").as_deref(), Some("客1"));
        assert_eq!(get(&rows[0], "at").as_deref(), Some("2024-05-01 18:00:00.5"));
        assert_eq!((get(&rows[0], "lines.n").as_deref(), get(&rows[0], "lines.price")), (Some("2"), None));
        assert_eq!(
            (get(&rows[1], "lines.sku").as_deref(), get(&rows[1], "lines.price").as_deref()),
            (Some("B"), Some("1.5"))
        );
        assert_eq!((get(&rows[0], "tags").as_deref(), get(&rows[0], "gone")), (Some("[\"x\",3]"), None));
        let whole = rows_of(&order, None, &here).expect("readable");
        assert_eq!(whole.len(), 1);
        assert!(get(&whole[0], "lines").is_some_and(|json| json.starts_with("[{\"n\":2,\"sku\":\"A\"}")));
    }

    #[test]
    fn zones_are_offsets() {
        let ahead = |zone: &str| offset(&place(&format!("mongodb://localhost/shop{zone}")));
        assert_eq!(
            (ahead(""), ahead("?timezone=UTC"), ahead("?timezone=-03:30")),
            (Some(0), Some(0), Some(-12_600_000))
        );
        assert_eq!(ahead("?timezone=Asia%2FShanghai"), None);
    }

    #[test]
    fn borders_go_back_in_their_own_kind() {
        assert_eq!(step_back("time 5000", LookBack::Seconds(2)).as_deref(), Some("time 3000"));
        assert_eq!(step_back("number 5000", LookBack::Units(2)).as_deref(), Some("number 4998"));
        assert_eq!(step_back("number 5000", LookBack::Seconds(2)), None);
        let id = step_back("id 665f1f77bcf86cd799439011", LookBack::Seconds(1)).expect("an id");
        assert_eq!(id, format!("id 665f1f76{}", "0".repeat(16)));
    }
}
