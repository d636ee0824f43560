//! The table of functions as a whole; what single functions do is checked beside them and against Terraform.

use super::*;

/// The functions of Terraform 1.11.
const TERRAFORM: &str = "abs abspath alltrue anytrue base64decode base64encode base64gzip base64sha256 base64sha512 basename \
    bcrypt can ceil chomp chunklist cidrhost cidrnetmask cidrsubnet cidrsubnets coalesce coalescelist compact concat contains \
    csvdecode dirname distinct element endswith ephemeralasnull file filebase64 filebase64sha256 filebase64sha512 fileexists \
    filemd5 fileset filesha1 filesha256 filesha512 flatten floor format formatdate formatlist indent index issensitive join \
    jsondecode jsonencode keys length list log lookup lower map matchkeys max md5 merge min nonsensitive one parseint pathexpand \
    plantimestamp pow range regex regexall replace reverse rsadecrypt sensitive setintersection setproduct setsubtract setunion \
    sha1 sha256 sha512 signum slice sort split startswith strcontains strrev substr sum templatefile templatestring \
    textdecodebase64 textencodebase64 timeadd timecmp timestamp title tobool tolist tomap tonumber toset tostring transpose trim \
    trimprefix trimspace trimsuffix try upper urlencode uuid uuidv5 values yamldecode yamlencode zipmap";

#[test]
fn every_function_is_known_and_works() {
    let table = Functions::standard();
    let missing: Vec<&str> = TERRAFORM.split_whitespace().filter(|name| table.get(name).is_none()).collect();
    assert_eq!(missing, Vec::<&str>::new());
    let refused: Vec<&str> = table.iter().filter(|function| !function.is_supported()).map(Function::name).collect();
    assert_eq!(refused, ["list", "map"]);
    let extra: Vec<&str> = table
        .iter()
        .filter(|function| function.edition() == crate::template::Edition::V1_11)
        .map(Function::name)
        .filter(|name| !TERRAFORM.split_whitespace().any(|known| known == *name))
        .collect();
    assert_eq!(extra, ["type"]);
}

#[test]
fn every_function_says_what_it_does() {
    for function in Functions::standard().iter() {
        let summary = function.summary();
        assert!(summary.ends_with('.') && summary.len() > 10, "{}", function.name());
        assert_eq!(
            Functions::standard().get(&format!("core::{}", function.name())).map(Function::name),
            Some(function.name())
        );
    }
}

#[test]
fn hosts_can_add_their_own() {
    use crate::value::{Type, Value};
    let mut table = Functions::standard();
    table.add(
        Function::new("provider::acme::double", "Doubles.")
            .takes([Parameter::new("n", Type::Number)])
            .returns(Type::Number)
            .computes(|call| {
                Ok(Value::number(call.number(0).add(call.number(0)).unwrap_or(crate::value::Number::ZERO)))
            }),
    );
    assert!(table.get("provider::acme::double").is_some());
    assert!(Functions::standard().get("provider::acme::double").is_none());
}
