//! Reads the source files and says which paths each of them names.
//!
//! Every path is given from the crate root: `use` trees are written out, `self` and `super` are resolved, and a path
//! that starts with an imported name continues that import. Macro calls are read as tokens. Test modules are left out.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::LazyLock,
};

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, ImplItemFn, Item, ItemFn, ItemMod, ItemUse, Macro, UseTree,
    visit::{self, Visit},
};

/// A path from the crate root, such as `deals`, `review`, `approve`; of a foreign crate, from its name.
pub type Names = Vec<String>;

/// One source file.
pub struct Source {
    /// Its text without test modules.
    pub text: String,
    /// The paths that it names.
    pub paths: BTreeSet<Names>,
    /// Whether its module documentation says that it is pure.
    pub pure: bool,
    /// Whether it has asynchronous code.
    pub asynchronous: bool,
}

impl Source {
    /// Reads one file; `name` is its path below `src`.
    pub fn read(name: &str, text: &str) -> Self {
        let file = syn::parse_file(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut reader = Reader {
            module: module_of(name),
            imported: BTreeMap::new(),
            found: BTreeSet::new(),
            asynchronous: false,
        };
        // Names first: a path may stand above the import that it continues.
        Imports(&mut reader).visit_file(&file);
        reader.visit_file(&file);
        Self {
            text: text.split("#[cfg(test)]").next().unwrap().to_owned(),
            paths: reader.found,
            pure: text
                .lines()
                .take_while(|line| line.starts_with("//!"))
                .any(|line| line == PURE),
            asynchronous: reader.asynchronous,
        }
    }
}

/// The line of a module's documentation that declares it pure.
pub const PURE: &str = "//! Pure: decides from facts alone.";

/// Every file below `src`, by its path from there; read once for all tests.
pub fn all() -> &'static BTreeMap<String, Source> {
    static ALL: LazyLock<BTreeMap<String, Source>> = LazyLock::new(read_all);
    &ALL
}

fn read_all() -> BTreeMap<String, Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
                let text = fs::read_to_string(&path).unwrap();
                found.insert(name.to_owned(), Source::read(name, &text));
            }
        }
    }
    // A module declared for tests alone is no part of the program.
    found.retain(|name, _| !name.ends_with("tests.rs") && !name.contains("tests/"));
    assert!(found.len() > 100, "the sources were not found");
    found
}

/// The module that a file holds: `deals/graphql/mod.rs` is `deals::graphql`.
fn module_of(name: &str) -> Names {
    let name = name.trim_end_matches(".rs");
    let mut module: Names = name.split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|last| last == "mod") || module == ["lib"] || module == ["main"] {
        module.pop();
    }
    module
}

struct Reader {
    module: Names,
    imported: BTreeMap<String, Names>,
    found: BTreeSet<Names>,
    asynchronous: bool,
}

impl Reader {
    /// A path as the file writes it, from the crate root; `None` for names that are neither imported nor rooted.
    fn rooted(&self, written: &[String]) -> Option<Names> {
        let (first, rest) = written.split_first()?;
        let mut names = match first.as_str() {
            "crate" | "ensemble" => Vec::new(),
            "self" => self.module.clone(),
            "super" => {
                let mut above = self.module.clone();
                above.pop();
                let further = rest.iter().take_while(|name| *name == "super").count();
                above.truncate(above.len().saturating_sub(further));
                above.extend(rest[further..].iter().cloned());
                return Some(above);
            }
            name => self.imported.get(name)?.clone(),
        };
        names.extend(rest.iter().cloned());
        Some(names)
    }

    fn keep(&mut self, written: &[String]) {
        if let Some(names) = self.rooted(written).filter(|names| !names.is_empty()) {
            self.found.insert(names);
        }
    }

    /// Paths in the tokens of a macro call.
    fn scan(&mut self, tokens: TokenStream) {
        let mut path: Names = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.keep(&std::mem::take(&mut path));
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                other => {
                    self.keep(&std::mem::take(&mut path));
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.scan(group.stream());
                    }
                }
            }
        }
        self.keep(&path);
    }
}

fn of_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .meta
                .require_list()
                .is_ok_and(|list| list.tokens.to_string() == "test")
    })
}

/// Every path that a `use` tree brings in, with the name under which it is known afterwards.
fn write_out(tree: &UseTree, above: &[String], found: &mut Vec<(String, Names)>) {
    let below = |name: String| [above, &[name]].concat();
    match tree {
        UseTree::Path(path) => write_out(&path.tree, &below(path.ident.to_string()), found),
        UseTree::Group(group) => {
            for tree in &group.items {
                write_out(tree, above, found);
            }
        }
        UseTree::Name(name) if name.ident == "self" => {
            found.push((above.last().cloned().unwrap_or_default(), above.to_vec()));
        }
        UseTree::Name(name) => found.push((name.ident.to_string(), below(name.ident.to_string()))),
        UseTree::Rename(renamed) => {
            let path = if renamed.ident == "self" {
                above.to_vec()
            } else {
                below(renamed.ident.to_string())
            };
            found.push((renamed.rename.to_string(), path));
        }
        UseTree::Glob(_) => found.push((String::new(), below("*".to_owned()))),
    }
}

/// The first pass: what the file imports, and under which names.
struct Imports<'a>(&'a mut Reader);

impl<'ast> Visit<'ast> for Imports<'_> {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if of_tests(&item.attrs) {
            return;
        }
        let mut found = Vec::new();
        write_out(&item.tree, &[], &mut found);
        for (name, written) in found {
            let foreign = |written: Names| (!written.is_empty()).then_some(written);
            let Some(path) = self.0.rooted(&written).or_else(|| foreign(written)) else {
                continue;
            };
            self.0.found.insert(path.clone());
            if !name.is_empty() {
                self.0.imported.insert(name, path);
            }
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !of_tests(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes: &[Attribute] = match item {
            Item::Mod(item) => &item.attrs,
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            _ => &[],
        };
        if !matches!(item, Item::Use(_)) && !of_tests(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Names = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        self.keep(&names);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.scan(call.tokens.clone());
        visit::visit_macro(self, call);
    }

    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        self.asynchronous |= function.sig.asyncness.is_some();
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        self.asynchronous |= function.sig.asyncness.is_some();
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_expr_async(&mut self, block: &'ast syn::ExprAsync) {
        self.asynchronous = true;
        visit::visit_expr_async(self, block);
    }
}
