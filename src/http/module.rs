//! What a module says of itself, once: its name, and what stands behind it in the description. The order of the modules
//! is that in which they are listed in `src/api.rs`.

use std::{collections::HashMap, marker::PhantomData};

use poem::{endpoint::BoxEndpoint, http::Method};
use poem_openapi::{
    OpenApi,
    registry::{MetaApi, MetaTag, Registry},
};

use super::{
    deprecation::{self, Deprecated},
    described::DeletedKind,
    problem::{self, FieldCode, ProblemCode},
};

/// A module of the server.
pub trait Module: Send + Sync + 'static {
    /// Its folder in `src`, `sql/queries` and `tests/it`, its schema in the database, its group of tags in the
    /// description, and the first half of the scopes of API keys.
    const NAME: &'static str;
    /// The tags of its operations.
    const TAGS: &'static [Tag];

    /// Its kinds of objects that `GET /api/v1/deletions` lists when they are deleted. Their tables have the trigger
    /// `record_deletion`.
    const DELETED: &'static [&'static str] = &[];
    /// The codes of its problems, beside those of every module.
    const PROBLEMS: &'static [ProblemCode] = &[];
    /// The codes of its invalid fields, beside those of every module.
    const FIELDS: &'static [FieldCode] = &[];

    /// What a later version removes: its operations, their parameters, and fields of schemas.
    const DEPRECATED: &'static [Deprecated] = &[];

    /// Adds what its problems say beside what every problem says: see [`document`](super::problem::document).
    fn document_problems(_registry: &mut Registry) {}
}

/// What some operations of a module are about.
pub struct Tag {
    pub name: &'static str,
    /// For the reader of the description.
    pub about: &'static str,
    /// What their paths begin with, without `/api/v1`, in whole segments. The longest one decides.
    pub paths: &'static [&'static str],
}

impl Tag {
    /// The length of the longest beginning of a path that the tag has.
    fn fit(&self, path: &str) -> Option<usize> {
        let path = path.strip_prefix("/api/v1").unwrap_or(path);
        let begins = |start: &&&str| {
            path.strip_prefix(**start).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.paths.iter().filter(begins).map(|start| start.len()).max()
    }
}

/// The name of the tag of a path.
fn tag_of(tags: &[Tag], path: &str) -> Option<&'static str> {
    let fitting = tags.iter().filter_map(|tag| Some((tag.fit(path)?, tag.name)));
    fitting.max_by_key(|(length, _)| *length).map(|(_, name)| name)
}

/// The APIs of a module: one, or a tuple of them.
pub struct Apis<M, A> {
    apis: A,
    module: PhantomData<M>,
}

impl<M, A> Apis<M, A> {
    pub fn new(apis: A) -> Self {
        Self { apis, module: PhantomData }
    }
}

impl<M: Module, A: OpenApi> OpenApi for Apis<M, A> {
    /// Tags each operation with the module and then with its tag, from which
    /// [`description`](super::description) makes groups.
    fn meta() -> Vec<MetaApi> {
        let mut apis = A::meta();
        for path in apis.iter_mut().flat_map(|api| &mut api.paths) {
            let tag = tag_of(M::TAGS, &path.path);
            for operation in &mut path.operations {
                operation.tags = std::iter::once(M::NAME).chain(tag).collect();
            }
        }
        deprecation::announce_operations(M::DEPRECATED, &mut apis);
        apis
    }

    fn register(registry: &mut Registry) {
        for Tag { name, about, .. } in M::TAGS {
            registry.create_tag(MetaTag { name, description: Some(about), external_docs: None });
        }
        A::register(registry);
        DeletedKind::document(registry, M::DELETED);
        deprecation::announce_fields(M::DEPRECATED, registry);
        problem::document_codes(registry, M::PROBLEMS, M::FIELDS);
        M::document_problems(registry);
    }

    fn add_routes(self, routes: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {
        self.apis.add_routes(routes);
    }
}
