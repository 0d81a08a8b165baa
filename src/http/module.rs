//! What a module says of itself, once: its name, and what stands behind it in the description. The order of the modules is
//! that in which they are listed in `src/api.rs`.

use std::{collections::HashMap, marker::PhantomData};

use poem::{endpoint::BoxEndpoint, http::Method};
use poem_openapi::{
    OpenApi,
    registry::{MetaApi, MetaTag, Registry},
};

use super::problem::{self, FieldCode, ProblemCode};

/// A module of the server.
pub trait Module: Send + Sync + 'static {
    /// Its folder in `src`, `sql/queries` and `tests/it`, its schema in the database, its tag in the description, and the
    /// first half of the scopes of API keys.
    const NAME: &'static str;
    /// What it is, for the reader of the description.
    const ABOUT: &'static str;

    /// The codes of its problems, beside those of every module.
    const PROBLEMS: &'static [ProblemCode] = &[];
    /// The codes of its invalid fields, beside those of every module.
    const FIELDS: &'static [FieldCode] = &[];

    /// Adds what its problems say beside what every problem says: see [`document`](super::problem::document).
    fn document_problems(_registry: &mut Registry) {}
}

/// The APIs of a module: one, or a tuple of them. Their operations get its tag.
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
    fn meta() -> Vec<MetaApi> {
        let mut apis = A::meta();
        let paths = apis.iter_mut().flat_map(|api| &mut api.paths);
        for operation in paths.flat_map(|path| &mut path.operations) {
            operation.tags = vec![M::NAME];
        }
        apis
    }

    fn register(registry: &mut Registry) {
        registry.create_tag(MetaTag { name: M::NAME, description: Some(M::ABOUT), external_docs: None });
        A::register(registry);
        problem::document_codes(registry, M::PROBLEMS, M::FIELDS);
        M::document_problems(registry);
    }

    fn add_routes(self, routes: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {
        self.apis.add_routes(routes);
    }
}
