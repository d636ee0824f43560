use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{Format, Sealer};
use crate::{
    address::Target,
    error::{Error, Result},
    state::{ObjectId, Row, RowRecord, RowStatus, Uses, failure},
};

/// Version 2 has `wholes`, version 3 `order_lines`, version 4 `uses`.
const FORMAT: Format = Format::new("stackwright.row", 4);
const KIND: &str = "row";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload<V> {
    object_id: ObjectId,
    address: Arc<str>,
    status: RowStatus,
    type_name: Arc<str>,
    provider: Arc<str>,
    schema_version: u64,
    remote_id: Option<String>,
    attributes: V,
    private: Option<Json>,
    dependencies: Vec<ObjectId>,
    #[serde(default)]
    wholes: Vec<Target>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    order_lines: Vec<Arc<str>>,
    #[serde(default, skip_serializing_if = "Uses::is_empty")]
    uses: Uses,
    create_before_destroy: bool,
    prevent_destroy: bool,
    ready: bool,
    version: u64,
}

/// Returns a row as a store keeps it: sensitive attributes and private bytes sealed, the rest readable.
///
/// O(attributes).
///
/// # Errors
/// `engine.bug` for attributes that are unknown or ephemeral; what the cipher says.
pub fn encode_row(row: &Row, sealer: &Sealer) -> Result<RowRecord> {
    if !row.attributes.is_wholly_known() {
        return Err(Error::bug("a row with unknown attributes was about to be stored").context("address", &row.address));
    }
    let record = sealer.record(KIND, row.object_id);
    let address: Arc<str> = row.address.to_string().into();
    let payload = Payload {
        object_id: row.object_id,
        address: Arc::clone(&address),
        status: row.status,
        type_name: Arc::clone(&row.type_name),
        provider: Arc::clone(&row.provider),
        schema_version: row.schema_version,
        remote_id: row.remote_id.clone(),
        attributes: record
            .stored("attributes", &row.attributes)
            .map_err(|error| error.context("address", &row.address))?,
        private: row.private.as_deref().map(|private| record.seal_bytes("private", private)).transpose()?,
        dependencies: row.dependencies.clone(),
        wholes: row.wholes.clone(),
        order_lines: row.order_lines.clone(),
        uses: row.uses.clone(),
        create_before_destroy: row.create_before_destroy,
        prevent_destroy: row.prevent_destroy,
        ready: row.ready,
        version: row.version,
    };
    let body = FORMAT.write(&subject(sealer, row.object_id), &payload)?;
    Ok(RowRecord { object_id: row.object_id, address, version: row.version, body })
}

/// Returns the row that a store keeps.
///
/// # Errors
/// `store.corrupt` also where the body tells of another object, address or version than the record;
/// `store.version`; `cipher.open_failed`. All name the address.
pub fn decode_row(record: &RowRecord, sealer: &Sealer) -> Result<Row> {
    decode(record, sealer).map_err(|error| error.context("address", &record.address))
}

fn decode(record: &RowRecord, sealer: &Sealer) -> Result<Row> {
    let payload: Payload<Json> = FORMAT.read(&subject(sealer, record.object_id), &record.body)?.payload()?;
    if payload.object_id != record.object_id || payload.version != record.version || payload.address != record.address {
        return Err(failure::corrupt("a stored row does not belong to the record that it is in"));
    }
    let seal = sealer.record(KIND, record.object_id);
    let attributes = seal.decode_value("attributes", &payload.attributes)?;
    let private = payload.private.map(|private| seal.open_bytes("private", &private)).transpose()?;
    Ok(Row {
        object_id: payload.object_id,
        address: payload.address.parse().map_err(|_| failure::corrupt("a stored row has an address that is none"))?,
        status: payload.status,
        type_name: payload.type_name,
        provider: payload.provider,
        schema_version: payload.schema_version,
        remote_id: payload.remote_id,
        attributes,
        private: private.map(|private| private.as_slice().into()),
        dependencies: payload.dependencies,
        wholes: payload.wholes,
        order_lines: payload.order_lines,
        uses: payload.uses,
        create_before_destroy: payload.create_before_destroy,
        prevent_destroy: payload.prevent_destroy,
        ready: payload.ready,
        version: payload.version,
    })
}

fn subject(sealer: &Sealer, object: ObjectId) -> String {
    format!("{} {object}", sealer.stack())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        state::{Amount, StackKey, testing::fixed_sealer},
        value::{Marks, Type, Value},
    };

    fn sealer() -> Sealer {
        fixed_sealer(StackKey::new("acme", "shop"))
    }

    fn row() -> Row {
        Row {
            object_id: ObjectId::from_u128(1),
            address: r#"module.net["a b"].acme_db.main[0]"#.parse().expect("an address"),
            status: RowStatus::Deposed,
            type_name: "acme_db".into(),
            provider: "module.net.provider.acme.east".into(),
            schema_version: 3,
            remote_id: Some("db-17".to_owned()),
            attributes: Value::object([
                ("name", Value::string("db")),
                ("password", Value::string("hunter2").with_marks(Marks::SENSITIVE)),
                ("size", Value::number(3)),
            ]),
            private: Some(b"private bytes"[..].into()),
            dependencies: vec![ObjectId::from_u128(2), ObjectId::from_u128(3)],
            wholes: vec!["module.net".parse().expect("a target"), "acme_disk.all".parse().expect("a target")],
            order_lines: vec!["L-1".into(), "L-2".into()],
            uses: [("disk_gib".into(), Amount::Unknown), ("vcpu".into(), Amount::Known(4))].into_iter().collect(),
            create_before_destroy: true,
            prevent_destroy: false,
            ready: true,
            version: 9,
        }
    }

    #[test]
    fn looks_as_documented() {
        let record = encode_row(&row(), &sealer()).expect("encodes");
        let text = String::from_utf8(record.body.to_vec()).expect("UTF-8");
        assert!(!text.contains("hunter2") && !text.contains("private bytes"));
        let (line, json) = text.split_once('\n').expect("two lines");
        assert!(line.starts_with("stackwright.row 4 "), "{line}");
        insta::assert_snapshot!(mask(json).replace(",\"", ",\n\""), @r#"
        {"object_id":"00000000-0000-0000-0000-000000000001",
        "address":"module.net[\"a b\"].acme_db.main[0]",
        "status":"deposed",
        "type_name":"acme_db",
        "provider":"module.net.provider.acme.east",
        "schema_version":3,
        "remote_id":"db-17",
        "attributes":{"t":["object",{"name":"string",
        "password":"dynamic",
        "size":"number"}],
        "v":{"name":"db",
        "password":{"$s":{"key":"bb39d786e37db057",
        "sealed":"…"}},
        "size":3}},
        "private":{"key":"bb39d786e37db057",
        "sealed":"…"},
        "dependencies":["00000000-0000-0000-0000-000000000002",
        "00000000-0000-0000-0000-000000000003"],
        "wholes":["module.net",
        "acme_disk.all"],
        "order_lines":["L-1",
        "L-2"],
        "uses":{"disk_gib":null,
        "vcpu":4},
        "create_before_destroy":true,
        "prevent_destroy":false,
        "ready":true,
        "version":9}
        "#);
    }

    /// Ciphertexts are different every time.
    fn mask(json: &str) -> String {
        let mut parts = json.split(r#""sealed":""#);
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |text, part| {
            let rest = part.split_once('"').map_or("", |(_, rest)| rest);
            format!(r#"{text}"sealed":"…"{rest}"#)
        })
    }

    #[test]
    fn comes_back_whole() {
        let mut other = row();
        other.status = RowStatus::Uncertain;
        other.remote_id = None;
        other.private = None;
        other.dependencies = Vec::new();
        other.wholes = Vec::new();
        other.uses = Uses::default();
        other.provider = "".into();
        for row in [row(), other] {
            let record = encode_row(&row, &sealer()).expect("encodes");
            assert_eq!((record.object_id, record.version), (row.object_id, row.version));
            assert_eq!(*record.address, row.address.to_string());
            assert_eq!(decode_row(&record, &sealer()).expect("decodes"), row);
        }
    }

    #[test]
    fn every_status_has_its_name() {
        let names = [RowStatus::Current, RowStatus::Deposed, RowStatus::Tainted, RowStatus::Uncertain]
            .map(|status| serde_json::to_value(status).expect("a name"));
        assert_eq!(names, ["current", "deposed", "tainted", "uncertain"]);
    }

    #[test]
    fn reads_what_version_1_wrote() {
        let plain = Row { wholes: Vec::new(), order_lines: Vec::new(), uses: Uses::default(), ..row() };
        let record = encode_row(&plain, &sealer()).expect("encodes");
        let subject = subject(&sealer(), plain.object_id);
        let mut json: Json = FORMAT.read(&subject, &record.body).and_then(|body| body.payload()).expect("reads");
        json.as_object_mut().and_then(|fields| fields.remove("wholes")).expect("a field");
        let body = Format::new("stackwright.row", 1).write(&subject, &json).expect("writes");
        assert_eq!(decode_row(&RowRecord { body, ..record }, &sealer()).expect("decodes"), plain);
    }

    #[test]
    fn refuses_a_row_in_the_wrong_record() {
        let record = encode_row(&row(), &sealer()).expect("encodes");
        let check = |record: &RowRecord, sealer: &Sealer| {
            let error = decode_row(record, sealer).expect_err("another record");
            assert_eq!(error.code(), "store.corrupt");
            assert!(error.report().contains("acme_db"), "{error:?}");
        };
        check(&RowRecord { object_id: ObjectId::from_u128(4), ..record.clone() }, &sealer());
        check(&RowRecord { version: 8, ..record.clone() }, &sealer());
        check(&RowRecord { address: "acme_db.other".into(), ..record.clone() }, &sealer());
        check(&record, &fixed_sealer(StackKey::new("acme", "blog")));
        let mut body = record.body.to_vec();
        body.pop();
        check(&RowRecord { body: body.into(), ..record }, &sealer());
    }

    #[test]
    fn refuses_unknown_attributes() {
        let row = Row { attributes: Value::object([("id", Value::unknown(Type::String))]), ..row() };
        assert_eq!(encode_row(&row, &sealer()).expect_err("unknown").code(), "engine.bug");
    }
}
