//! Addresses and subnets in CIDR notation.

use num_bigint::BigInt;

use super::{Call, Function, Functions, Parameter, cidr::Prefix, string::string};
use crate::{
    template::eval::Problem,
    value::{Type, Value},
};

pub(super) fn register(table: &mut Functions) {
    let number = |name: &'static str| Parameter::new(name, Type::Number);
    table.add(
        Function::new("cidrhost", "Returns the address of a number within a network prefix.")
            .takes([string("prefix"), number("hostnum")])
            .returns(Type::String)
            .computes(|call| {
                let host = prefix(call)?.host(&whole(call, 1)?).map_err(|why| Problem::argument(1, why))?;
                Ok(Value::string(host.to_string()))
            }),
    );
    table.add(
        Function::new("cidrnetmask", "Returns the netmask of an IPv4 network prefix.")
            .takes([string("prefix")])
            .returns(Type::String)
            .computes(|call| {
                let mask = prefix(call)?.netmask().map_err(|why| Problem::argument(0, why))?;
                Ok(Value::string(mask))
            }),
    );
    table.add(
        Function::new("cidrsubnet", "Returns the subnet of a number within a network prefix.")
            .takes([string("prefix"), number("newbits"), number("netnum")])
            .returns(Type::String)
            .computes(|call| {
                let subnet =
                    prefix(call)?.subnet(bits(call, 1)?, &whole(call, 2)?).map_err(|why| Problem::argument(2, why))?;
                Ok(Value::string(subnet.to_string()))
            }),
    );
    table.add(
        Function::new("cidrsubnets", "Returns subnets of a network prefix, one after another.")
            .takes([string("prefix")])
            .then_any_number_of(number("newbits"))
            .returns(Type::list(Type::String))
            .computes(|call| {
                let bits = (1..call.arguments.len()).map(|idx| bits(call, idx)).collect::<Result<Vec<_>, _>>()?;
                call.room(bits.len())?;
                let subnets = prefix(call)?.subnets(&bits).map_err(|(idx, why)| Problem::argument(idx + 1, why))?;
                let texts = subnets.iter().map(|subnet| Value::string(subnet.to_string())).collect();
                Ok(Value::list(Type::String, texts))
            }),
    );
}

fn prefix(call: Call<'_>) -> Result<Prefix, Problem> {
    Prefix::parse(call.text(0)).map_err(|why| Problem::argument(0, why))
}

fn whole(call: Call<'_>, idx: usize) -> Result<BigInt, Problem> {
    let number = call.number(idx);
    let whole = number.is_integer().then(|| number.to_bigint()).flatten();
    whole.ok_or_else(|| Problem::argument(idx, format!("a whole number is required, not {number}")))
}

fn bits(call: Call<'_>, idx: usize) -> Result<u32, Problem> {
    let bits = call.integer(idx)?;
    u32::try_from(bits).map_err(|_| Problem::argument(idx, format!("a number of bits is required, not {bits}")))
}
