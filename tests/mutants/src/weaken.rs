//! Finds the guards of a file and puts a switch around each.
//!
//! ```text
//! s.no_hold("T9")?;          → not asked at all
//! if a && b <= c { … }       → a, and b <= c: held to be true, held to be false; and b < c
//! (event, state) => no(…)    → nothing is refused, nothing happens
//! Who::Admin                 → Who::Anyone, Who::OperatorOrServer, Who::Operator
//! ```
//! What it leaves alone: conditions of loops (a weakened one would not end), patterns, and everything in constants.

use proc_macro2::Span;
use quote::ToTokens as _;
use syn::{
    Arm, BinOp, Expr, ExprClosure, ExprMethodCall, Ident, ImplItemFn, ItemFn, Path, ReturnType, Signature, Stmt, Type, UnOp, parse_quote,
    spanned::Spanned as _,
    visit_mut::{self, VisitMut},
};

/// A weakened guard.
#[derive(Debug, Clone)]
pub struct Guard {
    /// Its switch.
    pub number: usize,
    /// `file.rs:line`.
    pub place: String,
    /// The function.
    pub function: String,
    /// The guard as it reads.
    pub text: String,
    /// What becomes of it.
    pub weakening: &'static str,
    /// The rows that its function speaks of.
    pub rows: Vec<String>,
}

/// Puts switches into a file.
pub struct Weakener<'a> {
    file: &'a str,
    function: String,
    rows: Vec<String>,
    /// What was found so far, over all files.
    pub found: &'a mut Vec<Guard>,
    next: &'a mut usize,
}

/// The words of filters: their closures answer yes or no.
const ASKING: [&str; 8] = ["filter", "any", "all", "is_some_and", "is_none_or", "find", "retain", "take_if"];

impl<'a> Weakener<'a> {
    /// For this file; `next` is the first free switch.
    pub fn new(file: &'a str, found: &'a mut Vec<Guard>, next: &'a mut usize) -> Self {
        Self { file, function: String::new(), rows: Vec::new(), found, next }
    }

    fn switch(&mut self, span: Span, text: String, weakening: &'static str) -> usize {
        let number = *self.next;
        *self.next += 1;
        let place = format!("{}:{}", self.file, span.start().line);
        self.found.push(Guard { number, place, function: self.function.clone(), text, weakening, rows: self.rows.clone() });
        number
    }

    /// A condition: its parts by `&&`, `||` and `!` are guards of their own.
    fn condition(&mut self, expr: &mut Expr) {
        match expr {
            Expr::Binary(binary) if matches!(binary.op, BinOp::And(_) | BinOp::Or(_)) => {
                self.condition(&mut binary.left);
                self.condition(&mut binary.right);
            }
            Expr::Unary(unary) if matches!(unary.op, UnOp::Not(_)) => self.condition(&mut unary.expr),
            Expr::Paren(paren) => self.condition(&mut paren.expr),
            // Its arms say yes or no; the patterns are what decides.
            Expr::Let(_) | Expr::Lit(_) | Expr::Match(_) | Expr::If(_) | Expr::Block(_) => visit_mut::visit_expr_mut(self, expr),
            _ => self.leaf(expr),
        }
    }

    fn leaf(&mut self, expr: &mut Expr) {
        let (span, text) = (expr.span(), legible(expr));
        visit_mut::visit_expr_mut(self, expr);
        let (yes, no) = (self.switch(span, text.clone(), "held to be true"), self.switch(span, text.clone(), "held to be false"));
        debug_assert_eq!(no, yes + 1);
        if let Expr::Binary(binary) = &expr
            && let Some(op) = edge(&binary.op)
        {
            let number = self.switch(span, text, "its edge moved");
            let (left, right, held) = (&binary.left, &binary.right, &binary.op);
            *expr = parse_quote!(crate::mutant::bool(#yes, if crate::mutant::is(#number) { #left #op #right } else { #left #held #right }));
            return;
        }
        *expr = parse_quote!(crate::mutant::bool(#yes, #expr));
    }

    fn enter(&mut self, signature: &mut Signature, body: &mut syn::Block) {
        signature.constness = None;
        self.function = signature.ident.to_string();
        self.rows = rows(&body.to_token_stream().to_string());
        let asks = matches!(&signature.output, ReturnType::Type(_, kind) if matches!(&**kind, Type::Path(path) if path.path.is_ident("bool")));
        let last = body.stmts.len();
        for (number, statement) in body.stmts.iter_mut().enumerate() {
            match statement {
                Stmt::Expr(expr, None) if asks && number + 1 == last => self.condition(expr),
                statement => self.visit_stmt_mut(statement),
            }
        }
    }
}

/// The comparison that differs at its edge only.
fn edge(op: &BinOp) -> Option<BinOp> {
    Some(match op {
        BinOp::Le(_) => parse_quote!(<),
        BinOp::Lt(_) => parse_quote!(<=),
        BinOp::Ge(_) => parse_quote!(>),
        BinOp::Gt(_) => parse_quote!(>=),
        _ => return None,
    })
}

/// A guard on one line, without the blanks between tokens.
fn legible(tokens: &impl quote::ToTokens) -> String {
    let mut text = tokens.to_token_stream().to_string();
    for (from, to) in
        [(" . ", "."), (" (", "("), ("( ", "("), (" )", ")"), (" :: ", "::"), (" ,", ","), (" ?", "?"), ("& ", "&"), (" !", "!"), ("* ", "*")]
    {
        text = text.replace(from, to);
    }
    let text = text.replace('|', "¦").split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() > 110 { text.chars().take(107).chain("…".chars()).collect() } else { text }
}

/// The rows named in a text: `"T9"` and the like.
fn rows(text: &str) -> Vec<String> {
    let is_row = |word: &&str| {
        let digits = word.strip_prefix(['T', 'O', 'P']).unwrap_or("");
        digits.starts_with(|c: char| c.is_ascii_digit()) && word.len() <= 4 || ["waive", "rearm", "stage", "agent", "late", "loop"].contains(word)
    };
    let mut found: Vec<String> = text.split('"').skip(1).step_by(2).filter(is_row).map(str::to_owned).collect();
    found.sort();
    found.dedup();
    found
}

/// A refusal: `no(…)`, `Err(…)`.
fn refuses(expr: &Expr) -> bool {
    matches!(expr, Expr::Call(call) if matches!(&*call.func, Expr::Path(path) if path.path.is_ident("no") || path.path.is_ident("Err")))
}

fn is_who(path: &Path) -> Option<String> {
    let words: Vec<String> = path.segments.iter().map(|part| part.ident.to_string()).collect();
    (words.len() == 2 && words[0] == "Who").then(|| words[1].clone())
}

impl VisitMut for Weakener<'_> {
    fn visit_item_fn_mut(&mut self, item: &mut ItemFn) {
        self.enter(&mut item.sig, &mut item.block);
    }

    fn visit_impl_item_fn_mut(&mut self, item: &mut ImplItemFn) {
        self.enter(&mut item.sig, &mut item.block);
    }

    fn visit_item_mod_mut(&mut self, _: &mut syn::ItemMod) {}

    fn visit_item_const_mut(&mut self, _: &mut syn::ItemConst) {}

    /// `guard()?;`
    fn visit_stmt_mut(&mut self, statement: &mut Stmt) {
        let (span, text) = (statement.span(), legible(statement));
        visit_mut::visit_stmt_mut(self, statement);
        if let Stmt::Expr(Expr::Try(_), Some(_)) = statement {
            let number = self.switch(span, text, "not asked");
            *statement = parse_quote!(if !crate::mutant::is(#number) { #statement });
        }
    }

    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        match expr {
            Expr::If(branch) => {
                self.condition(&mut branch.cond);
                self.visit_block_mut(&mut branch.then_branch);
                if let Some((_, otherwise)) = &mut branch.else_branch {
                    self.visit_expr_mut(otherwise);
                }
            }
            Expr::While(_) => {}
            Expr::Binary(binary)
                if matches!(
                    binary.op,
                    BinOp::And(_) | BinOp::Or(_) | BinOp::Eq(_) | BinOp::Ne(_) | BinOp::Lt(_) | BinOp::Le(_) | BinOp::Gt(_) | BinOp::Ge(_)
                ) =>
            {
                self.condition(expr);
            }
            Expr::Macro(call) if call.mac.path.is_ident("matches") => self.leaf_macro(expr),
            Expr::Path(path) if self.file == "entry.rs" => {
                if let Some(word) = is_who(&path.path) {
                    self.who(expr, &word);
                }
            }
            _ => visit_mut::visit_expr_mut(self, expr),
        }
    }

    fn visit_expr_method_call_mut(&mut self, call: &mut ExprMethodCall) {
        let asks = ASKING.contains(&call.method.to_string().as_str());
        self.visit_expr_mut(&mut call.receiver);
        for argument in &mut call.args {
            match argument {
                Expr::Closure(ExprClosure { body, .. }) if asks => self.condition(body),
                other => self.visit_expr_mut(other),
            }
        }
    }

    fn visit_arm_mut(&mut self, arm: &mut Arm) {
        if let Some((_, guard)) = &mut arm.guard {
            self.condition(guard);
        }
        if self.file == "table.rs" && refuses(&arm.body) {
            self.rows = rows(&arm.body.to_token_stream().to_string());
            let (number, body) = (self.switch(arm.body.span(), legible(&arm.pat), "refused no more"), &arm.body);
            arm.body = parse_quote!(if crate::mutant::is(#number) { same(Stay::Already("weakened")) } else { #body });
            return;
        }
        if self.file == "table.rs" {
            return;
        }
        self.visit_expr_mut(&mut arm.body);
    }
}

impl Weakener<'_> {
    /// `matches!` hides its pattern from us: yes or no as a whole.
    fn leaf_macro(&mut self, expr: &mut Expr) {
        let (span, text) = (expr.span(), legible(expr));
        let yes = self.switch(span, text.clone(), "held to be true");
        self.switch(span, text, "held to be false");
        *expr = parse_quote!(crate::mutant::bool(#yes, #expr));
    }

    /// More actors than the table allows.
    fn who(&mut self, expr: &mut Expr, word: &str) {
        let wider: &[(&str, &'static str)] = match word {
            "Admin" => &[("Operator", "any operator may"), ("Anyone", "anyone may")],
            "Operator" | "Server" => &[("OperatorOrServer", "operator or server may"), ("Anyone", "anyone may")],
            "OperatorOrServer" | "Host" => &[("Anyone", "anyone may")],
            _ => &[],
        };
        let (span, text) = (expr.span(), legible(expr));
        for (other, weakening) in wider {
            let number = self.switch(span, format!("{text} in line {}", span.start().line), weakening);
            let other = Ident::new(other, span);
            *expr = parse_quote!(crate::mutant::or(#number, #expr, Who::#other));
        }
    }
}
