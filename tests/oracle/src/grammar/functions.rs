//! Which functions there are, what they take and what they return.

use super::{Grammar, Ty, texts};

/// What stands at one place of an argument list.
#[derive(Clone, Copy)]
enum Arg {
    /// Something of a type.
    Of(Ty),
    /// A small whole number, mostly.
    Small,
    /// Nothing or something.
    Maybe(&'static Arg),
    /// So many of them, at least and at most.
    Many(&'static Arg, usize, usize),
    /// A list that is expanded in the end, or so many of them.
    Spread(&'static Arg, Ty),
    /// A text of a special kind.
    Text(texts::Kind),
}

use Arg::{Many, Maybe, Of, Small, Spread, Text};
use Ty::{Any, Bool, Bools, Lists, Map, Num, Nums, Objects, Seq, Set, Str, StrMap, Strs};
use texts::Kind as T;

pub(super) struct Entry(&'static str, Ty, &'static [Arg]);

const S: Arg = Of(Str);
const N: Arg = Of(Num);
const A: Arg = Of(Any);

/// Every function that can be called at random.
pub(super) const TABLE: &[Entry] = &[
    Entry("abs", Num, &[N]),
    Entry("abspath", Str, &[Text(T::Absolute)]),
    Entry("alltrue", Bool, &[Of(Bools)]),
    Entry("anytrue", Bool, &[Of(Bools)]),
    Entry("base64decode", Str, &[Text(T::Base64)]),
    Entry("base64encode", Str, &[S]),
    Entry("base64gzip", Str, &[S]),
    Entry("base64sha256", Str, &[S]),
    Entry("base64sha512", Str, &[S]),
    Entry("basename", Str, &[Text(T::Path)]),
    Entry("bcrypt", Str, &[S, Maybe(&Small)]),
    Entry("can", Bool, &[A]),
    Entry("ceil", Num, &[N]),
    Entry("chomp", Str, &[S]),
    Entry("chunklist", Lists, &[Of(Strs), Small]),
    Entry("cidrhost", Str, &[Text(T::Prefix), Small]),
    Entry("cidrnetmask", Str, &[Text(T::Prefix)]),
    Entry("cidrsubnet", Str, &[Text(T::Prefix), Small, Small]),
    Entry("cidrsubnets", Strs, &[Text(T::Prefix), Many(&Small, 0, 3)]),
    Entry("coalesce", Str, &[Spread(&S, Strs)]),
    Entry("coalesce", Any, &[Many(&A, 1, 3)]),
    Entry("coalescelist", Strs, &[Spread(&Of(Strs), Lists)]),
    Entry("compact", Strs, &[Of(Strs)]),
    Entry("concat", Seq, &[Many(&Of(Seq), 0, 3)]),
    Entry("concat", Strs, &[Spread(&Of(Strs), Lists)]),
    Entry("contains", Bool, &[Of(Seq), A]),
    Entry("contains", Bool, &[Of(Strs), S]),
    Entry("csvdecode", Objects, &[Text(T::Csv)]),
    Entry("dirname", Str, &[Text(T::Path)]),
    Entry("distinct", Strs, &[Of(Strs)]),
    Entry("distinct", Seq, &[Of(Seq)]),
    Entry("element", Str, &[Of(Strs), Small]),
    Entry("element", Any, &[Of(Seq), N]),
    Entry("endswith", Bool, &[S, S]),
    Entry("ephemeralasnull", Any, &[A]),
    Entry("file", Str, &[Text(T::File)]),
    Entry("filebase64", Str, &[Text(T::File)]),
    Entry("filebase64sha256", Str, &[Text(T::File)]),
    Entry("filebase64sha512", Str, &[Text(T::File)]),
    Entry("fileexists", Bool, &[Text(T::File)]),
    Entry("filemd5", Str, &[Text(T::File)]),
    Entry("fileset", Set, &[Text(T::Folder), Text(T::Glob)]),
    Entry("filesha1", Str, &[Text(T::File)]),
    Entry("filesha256", Str, &[Text(T::File)]),
    Entry("filesha512", Str, &[Text(T::File)]),
    Entry("flatten", Seq, &[Of(Lists)]),
    Entry("flatten", Seq, &[Of(Seq)]),
    Entry("floor", Num, &[N]),
    Entry("format", Str, &[Text(T::Format)]),
    Entry("formatdate", Str, &[Text(T::DateFormat), Text(T::Date)]),
    Entry("formatlist", Strs, &[Text(T::FormatList)]),
    Entry("indent", Str, &[Small, S]),
    Entry("index", Num, &[Of(Strs), S]),
    Entry("index", Num, &[Of(Seq), A]),
    Entry("issensitive", Bool, &[A]),
    Entry("join", Str, &[S, Spread(&Of(Strs), Lists)]),
    Entry("jsondecode", Any, &[Text(T::Json)]),
    Entry("jsonencode", Str, &[A]),
    Entry("keys", Strs, &[Of(Map)]),
    Entry("length", Num, &[A]),
    Entry("log", Num, &[N, N]),
    Entry("lookup", Str, &[Of(StrMap), Text(T::Key), Maybe(&S)]),
    Entry("lookup", Any, &[Of(Map), Text(T::Key), Maybe(&A)]),
    Entry("lower", Str, &[S]),
    Entry("matchkeys", Strs, &[Of(Strs), Of(Strs), Of(Strs)]),
    Entry("max", Num, &[Spread(&N, Nums)]),
    Entry("md5", Str, &[S]),
    Entry("merge", Map, &[Many(&Of(Map), 0, 3)]),
    Entry("merge", StrMap, &[Spread(&Of(StrMap), Objects)]),
    Entry("min", Num, &[Spread(&N, Nums)]),
    Entry("nonsensitive", Any, &[A]),
    Entry("nonsensitive", Str, &[S]),
    Entry("one", Any, &[Of(Seq)]),
    Entry("one", Str, &[Of(Strs)]),
    Entry("parseint", Num, &[Text(T::Digits), Small]),
    Entry("pathexpand", Str, &[Text(T::Path)]),
    Entry("pow", Num, &[N, N]),
    Entry("range", Nums, &[Many(&Small, 1, 3)]),
    Entry("regex", Any, &[Text(T::Pattern), S]),
    Entry("regexall", Seq, &[Text(T::Pattern), S]),
    Entry("replace", Str, &[S, Text(T::Search), Text(T::Replacement)]),
    Entry("reverse", Strs, &[Of(Strs)]),
    Entry("reverse", Seq, &[Of(Seq)]),
    Entry("rsadecrypt", Str, &[Text(T::Cipher), Text(T::PrivateKey)]),
    Entry("sensitive", Any, &[A]),
    Entry("setintersection", Set, &[Many(&Of(Set), 1, 3)]),
    Entry("setproduct", Lists, &[Many(&Of(Strs), 1, 3)]),
    Entry("setproduct", Lists, &[Many(&Of(Seq), 2, 3)]),
    Entry("setsubtract", Set, &[Of(Set), Of(Set)]),
    Entry("setunion", Set, &[Many(&Of(Set), 1, 3)]),
    Entry("sha1", Str, &[S]),
    Entry("sha256", Str, &[S]),
    Entry("sha512", Str, &[S]),
    Entry("signum", Num, &[N]),
    Entry("slice", Strs, &[Of(Strs), Small, Small]),
    Entry("slice", Seq, &[Of(Seq), Small, Small]),
    Entry("sort", Strs, &[Of(Strs)]),
    Entry("split", Strs, &[S, S]),
    Entry("startswith", Bool, &[S, S]),
    Entry("strcontains", Bool, &[S, S]),
    Entry("strrev", Str, &[S]),
    Entry("substr", Str, &[S, Small, Small]),
    Entry("sum", Num, &[Of(Nums)]),
    Entry("templatefile", Str, &[Text(T::TemplateFile), Text(T::TemplateVariables)]),
    Entry("templatestring", Str, &[Text(T::TemplateName), Text(T::TemplateVariables)]),
    Entry("textdecodebase64", Str, &[Text(T::Base64), Text(T::Charset)]),
    Entry("textencodebase64", Str, &[S, Text(T::Charset)]),
    Entry("timeadd", Str, &[Text(T::Date), Text(T::Duration)]),
    Entry("timecmp", Num, &[Text(T::Date), Text(T::Date)]),
    Entry("timestamp", Str, &[]),
    Entry("title", Str, &[S]),
    Entry("tobool", Bool, &[Of(Bool)]),
    Entry("tobool", Bool, &[A]),
    Entry("tolist", Strs, &[Of(Strs)]),
    Entry("tolist", Seq, &[Of(Seq)]),
    Entry("tomap", StrMap, &[Of(StrMap)]),
    Entry("tomap", Map, &[Of(Map)]),
    Entry("tonumber", Num, &[Text(T::Digits)]),
    Entry("tonumber", Num, &[A]),
    Entry("toset", Set, &[Of(Strs)]),
    Entry("toset", Set, &[Of(Seq)]),
    Entry("tostring", Str, &[N]),
    Entry("tostring", Str, &[A]),
    Entry("transpose", Map, &[Text(T::ListMap)]),
    Entry("trim", Str, &[S, S]),
    Entry("trimprefix", Str, &[S, S]),
    Entry("trimspace", Str, &[S]),
    Entry("trimsuffix", Str, &[S, S]),
    Entry("try", Any, &[Many(&A, 1, 3)]),
    Entry("upper", Str, &[S]),
    Entry("urlencode", Str, &[S]),
    Entry("uuid", Str, &[]),
    Entry("uuidv5", Str, &[Text(T::Namespace), S]),
    Entry("values", Strs, &[Of(StrMap)]),
    Entry("values", Seq, &[Of(Map)]),
    Entry("yamldecode", Any, &[Text(T::Yaml)]),
    Entry("yamlencode", Str, &[A]),
    Entry("zipmap", StrMap, &[Of(Strs), Of(Strs)]),
    Entry("zipmap", Map, &[Of(Strs), Of(Seq)]),
    Entry("provider::terraform::encode_expr", Str, &[A]),
    Entry("provider::terraform::encode_tfvars", Str, &[Of(Map)]),
    Entry("provider::terraform::decode_tfvars", Map, &[Text(T::Variables)]),
    Entry("core::length", Num, &[A]),
    // When a plan is made differs each time, so only what does not hang on it is asked.
    Entry("0 * length(plantimestamp()) + length", Num, &[S]),
];

/// Returns the name of every function that is called at random; some stand there twice.
pub fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|entry| entry.0).filter(|name| !name.contains(' ')).chain(["plantimestamp"])
}

/// Returns whether what a function returns can stand for a type.
pub(super) fn returns(idx: usize, ty: Ty) -> bool {
    TABLE.get(idx).is_some_and(|entry| entry.1 == ty || (entry.1 == Set && ty == Seq))
}

impl Grammar {
    /// Calls the function at `idx` of the table.
    pub(super) fn call(&mut self, idx: usize, depth: usize) -> String {
        let Entry(name, _, arguments) = &TABLE[idx];
        let mut parts = Vec::new();
        for argument in *arguments {
            self.argument(*argument, depth, &mut parts);
        }
        // A missing or a superfluous argument, now and then.
        if self.random.chance(1) {
            match self.random.chance(50) {
                true => drop(parts.pop()),
                false if parts.last().is_none_or(|last| !last.ends_with("...")) => parts.push(self.expr(Any, 0)),
                false => {}
            }
        }
        format!("{name}({})", parts.join(", "))
    }

    fn argument(&mut self, argument: Arg, depth: usize, parts: &mut Vec<String>) {
        match argument {
            Of(ty) => parts.push(self.expr(ty, depth)),
            Small if self.random.chance(8) => parts.push(self.expr(Num, depth)),
            Small => {
                let number = self
                    .random
                    .of(&["0", "1", "2", "3", "4", "5", "8", "10", "16", "24", "-1", "-2", "1.5", "36", "64", "\"2\""]);
                parts.push(number.to_owned());
            }
            Maybe(inner) => {
                if self.random.chance(50) {
                    self.argument(*inner, depth, parts);
                }
            }
            Many(inner, least, most) => {
                for _ in 0..least + self.random.below(most - least + 1) {
                    self.argument(*inner, depth, parts);
                }
            }
            Spread(inner, list) => {
                if self.random.chance(20) {
                    let list = self.expr(list, depth);
                    parts.push(format!("{list}..."));
                    return;
                }
                for _ in 0..=self.random.below(3) {
                    self.argument(*inner, depth, parts);
                }
            }
            Text(kind) => {
                if self.random.chance(6) {
                    parts.push(self.expr(Str, depth));
                } else {
                    parts.push(texts::text(kind, self, depth));
                }
            }
        }
    }
}
