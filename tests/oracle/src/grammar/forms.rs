//! Operators, templates, loops, splats, indexes.

use super::{Grammar, Ty};

impl Grammar {
    /// Returns something of the type that no function is called for.
    pub(super) fn form(&mut self, ty: Ty, depth: usize) -> String {
        match ty {
            Ty::Any | Ty::Str => self.text(depth),
            Ty::Num => self.number(depth),
            Ty::Bool => self.truth(depth),
            Ty::Strs => match self.random.below(5) {
                0 => format!("[{}]", self.several(0, 3, |it| it.expr(Ty::Str, depth))),
                1 => self.splat(depth),
                _ => self.for_list(Ty::Str, depth),
            },
            Ty::Nums => match self.random.below(3) {
                0 => format!("[{}]", self.several(0, 3, |it| it.expr(Ty::Num, depth))),
                _ => self.for_list(Ty::Num, depth),
            },
            Ty::Bools => match self.random.below(3) {
                0 => format!("[{}]", self.several(0, 3, |it| it.expr(Ty::Bool, depth))),
                _ => self.for_list(Ty::Bool, depth),
            },
            Ty::Seq => match self.random.below(6) {
                0..2 => format!("[{}]", self.several(0, 4, |it| it.expr(Ty::Any, depth))),
                2 => self.splat(depth),
                3 => format!("({})[{}]", self.expr(Ty::Lists, depth), self.index(depth)),
                _ => self.for_list(Ty::Any, depth),
            },
            Ty::Set => format!("toset({})", self.expr(Ty::Seq, depth)),
            Ty::StrMap => match self.random.below(3) {
                0 => self.object(Ty::Str, depth),
                _ => self.for_object(Ty::Str, depth),
            },
            Ty::Map => match self.random.below(3) {
                0 => self.object(Ty::Any, depth),
                1 => format!("({})[{}]", self.expr(Ty::Objects, depth), self.index(depth)),
                _ => self.for_object(Ty::Any, depth),
            },
            Ty::Objects => match self.random.below(2) {
                0 => format!("[{}]", self.several(0, 3, |it| it.expr(Ty::Map, depth))),
                _ => self.for_list(Ty::Map, depth),
            },
            Ty::Lists => match self.random.below(2) {
                0 => format!("[{}]", self.several(0, 3, |it| it.expr(Ty::Seq, depth))),
                _ => self.for_list(Ty::Seq, depth),
            },
        }
    }

    fn index(&mut self, depth: usize) -> String {
        match self.random.below(8) {
            0..5 => self.random.of(&["0", "0", "1", "2", "-1", "0.5", "\"0\"", "\"a\""]).to_owned(),
            5 => self.expr(Ty::Str, 0),
            _ => self.expr(Ty::Num, depth),
        }
    }

    fn number(&mut self, depth: usize) -> String {
        match self.random.below(10) {
            0..5 => {
                let op = self.random.of(&["+", "-", "*", "/", "%"]);
                format!("({} {op} {})", self.expr(Ty::Num, depth), self.expr(Ty::Num, depth))
            }
            5 => format!("-({})", self.expr(Ty::Num, depth)),
            6 => format!("({})[{}]", self.expr(Ty::Nums, depth), self.index(depth)),
            7 => format!("\"${{{}}}\"", self.expr(Ty::Num, depth)),
            8 => format!("local.mn[{}]", self.random.of(&["\"x\"", "\"y\"", "\"z\"", "local.us", "0"])),
            _ => {
                let op = self.random.of(&["+ 1 *", "- 2 -", "* 2 +", "/ 4 *", "% 3 +"]);
                format!("{} {op} {}", self.expr(Ty::Num, 0), self.expr(Ty::Num, 0))
            }
        }
    }

    fn truth(&mut self, depth: usize) -> String {
        match self.random.below(12) {
            0..3 => {
                let op = self.random.of(&["<", "<=", ">", ">="]);
                format!("({} {op} {})", self.expr(Ty::Num, depth), self.expr(Ty::Num, depth))
            }
            3..6 => {
                let op = self.random.of(&["==", "!="]);
                let ty = self.random.of(&[&Ty::Any, &Ty::Str, &Ty::Num, &Ty::Strs, &Ty::Map, &Ty::Bool]);
                let (ty, same) = (*ty, self.random.chance(20));
                let left = self.expr(ty, depth);
                let right = if same { left.clone() } else { self.expr(ty, depth) };
                format!("({left} {op} {right})")
            }
            6 => format!("({} {} null)", self.expr(Ty::Any, depth), self.random.of(&["==", "!="])),
            7..10 => {
                let op = self.random.of(&["&&", "||"]);
                format!("({} {op} {})", self.expr(Ty::Bool, depth), self.expr(Ty::Bool, depth))
            }
            10 => format!("!({})", self.expr(Ty::Bool, depth)),
            _ => format!("({})[{}]", self.expr(Ty::Bools, depth), self.index(depth)),
        }
    }

    fn text(&mut self, depth: usize) -> String {
        match self.random.below(14) {
            0..4 => format!("\"{}${{{}}}{}\"", self.word(), self.expr(Ty::Str, depth), self.word()),
            4 => format!("\"${{{}}}\"", self.expr(Ty::Any, depth)),
            5 => format!("\"${{{}}}${{{}}}\"", self.expr(Ty::Str, depth), self.expr(Ty::Num, depth)),
            6 => {
                let (open, close) = self.strip();
                format!(
                    "\"{} %{{{open} if {} {close}}} yes %{{ else }}{}%{{{open} endif }}\"",
                    self.word(),
                    self.expr(Ty::Bool, depth),
                    self.word()
                )
            }
            7 => {
                let (open, close) = self.strip();
                let list = self.expr(Ty::Strs, depth);
                format!("\"{}%{{ for x in {list} {close}}}<${{x}}> %{{{open} endfor }}\"", self.word())
            }
            8 => {
                let (open, close) = self.strip();
                format!("\" {} ${{{open} {} {close}}} {}\"", self.word(), self.expr(Ty::Str, depth), self.word())
            }
            9 => format!("({})[{}]", self.expr(Ty::Strs, depth), self.index(depth)),
            10 => format!(
                "({})[{}]",
                self.expr(Ty::StrMap, depth),
                self.random.of(&["\"a\"", "\"b\"", "\"zz\"", "local.us"])
            ),
            11 => format!("({}).{}", self.expr(Ty::Map, depth), self.random.of(&["a", "b", "name", "zz"])),
            12 => {
                let dash = self.random.of(&["", "-"]);
                format!("<<{dash}EOT\n    {}${{{}}}\n  {}\nEOT\n", self.word(), self.expr(Ty::Str, 0), self.word())
            }
            _ => format!(
                "\"{}%{{ for k, v in {} }}${{k}}=${{v}};%{{ endfor }}\"",
                self.word(),
                self.expr(Ty::StrMap, depth)
            ),
        }
    }

    fn word(&mut self) -> String {
        self.random.of(&["", "", "a", "x-", "pre ", " ", "é", "\\n", "$${", "/"]).to_owned()
    }

    fn strip(&mut self) -> (&'static str, &'static str) {
        (self.random.of(&["", "~"]), self.random.of(&["", "~"]))
    }

    fn source(&mut self, depth: usize) -> (String, Ty) {
        match self.random.below(8) {
            0..2 => (self.expr(Ty::Strs, depth), Ty::Str),
            2..4 => (self.expr(Ty::Nums, depth), Ty::Num),
            4 => (self.expr(Ty::StrMap, depth), Ty::Str),
            5 => (self.expr(Ty::Map, depth), Ty::Any),
            6 => (self.expr(Ty::Lists, depth), Ty::Seq),
            _ => (self.expr(Ty::Objects, depth), Ty::Map),
        }
    }

    /// Makes the head of a loop and what the body needs to know.
    fn head(&mut self, depth: usize) -> String {
        let (source, ty) = self.source(depth);
        let level = self.bound.len();
        let value = format!("v{level}");
        if self.random.chance(50) {
            let key = format!("k{level}");
            let head = format!("for {key}, {value} in {source}");
            self.bound.push((key, if matches!(ty, Ty::Any) { Ty::Str } else { Ty::Any }));
            self.bound.push((value, ty));
            return head;
        }
        let head = format!("for {value} in {source}");
        self.bound.push((value, ty));
        head
    }

    fn filter(&mut self, depth: usize) -> String {
        if self.random.chance(30) { format!(" if {}", self.expr(Ty::Bool, depth)) } else { String::new() }
    }

    fn for_list(&mut self, ty: Ty, depth: usize) -> String {
        let height = self.bound.len();
        let head = self.head(depth);
        let body = self.expr(ty, depth);
        let filter = self.filter(depth);
        self.bound.truncate(height);
        format!("[{head} : {body}{filter}]")
    }

    fn for_object(&mut self, ty: Ty, depth: usize) -> String {
        let height = self.bound.len();
        let head = self.head(depth);
        let key = match self.random.below(3) {
            0 => self.expr(Ty::Str, depth),
            1 => format!("\"k${{{}}}\"", self.leaf(Ty::Str)),
            _ => self.bound.last().map_or_else(|| "\"a\"".to_owned(), |(name, _)| name.clone()),
        };
        let body = self.expr(ty, depth);
        let group = if self.random.chance(40) { "..." } else { "" };
        let filter = self.filter(depth);
        self.bound.truncate(height);
        format!("{{ {head} : {key} => {body}{group}{filter} }}")
    }

    fn object(&mut self, ty: Ty, depth: usize) -> String {
        let mut items = Vec::new();
        for _ in 0..self.random.below(4) {
            let key = match self.random.below(6) {
                0 => format!("({})", self.expr(Ty::Str, depth)),
                1 => "\"b c\"".to_owned(),
                2 => "1".to_owned(),
                _ => self.random.of(&["a", "b", "c", "name", "foo-bar"]).to_owned(),
            };
            items.push(format!("{key} {} {}", self.random.of(&["=", "=", ":"]), self.expr(ty, depth)));
        }
        format!("{{ {} }}", items.join(", "))
    }

    fn splat(&mut self, depth: usize) -> String {
        let source = self.expr(self.splat_ty(), depth);
        let behind = self.random.of(&["", ".name", ".id", ".a", "[0]", ".name.x", ".id[0]", "[\"name\"]"]);
        match self.random.below(4) {
            0 => format!("({source}).*{}", behind.split('[').next().unwrap_or("")),
            _ => format!("({source})[*]{behind}"),
        }
    }

    fn splat_ty(&self) -> Ty {
        match self.bound.len() % 3 {
            0 => Ty::Objects,
            1 => Ty::Any,
            _ => Ty::Lists,
        }
    }
}
