// Changes of an API description, and whether each breaks a client. Each is planted into a path of its own.

/** A path with everything that changes: parameters, a body, answers, a component. */
function path(id) {
    const name = { type: "string", minLength: 1, maxLength: 50 };
    const kind = { type: "string", enum: ["a", "b"] };
    return {
        post: {
            operationId: `${id}_book`,
            summary: "Book",
            "x-required-role": "staff",
            security: [{ bearer: [] }, { cookie: [] }],
            parameters: [
                { name: "limit", in: "query", schema: { type: "integer", minimum: 1, maximum: 100 } },
                { name: "sort", in: "query", schema: { type: "string", enum: ["name", "-name"] } },
            ],
            requestBody: {
                required: true,
                content: {
                    "application/json": {
                        schema: {
                            type: "object",
                            additionalProperties: false,
                            required: ["name"],
                            properties: {
                                name,
                                kind,
                                note: { type: "string", nullable: true },
                                tags: { type: "array", items: { type: "string" }, maxItems: 10 },
                            },
                        },
                    },
                },
            },
            responses: {
                200: {
                    description: "Booked",
                    headers: { ETag: { schema: { type: "string" } } },
                    content: {
                        "application/json": {
                            schema: {
                                type: "object",
                                required: ["id", "name", "kind"],
                                properties: {
                                    id: { type: "string", format: "uuid" },
                                    name,
                                    kind,
                                    count: { type: "integer", maximum: 10 },
                                    nested: { $ref: `#/components/schemas/${id}_Nested` },
                                },
                            },
                        },
                    },
                },
                404: { description: "Not found" },
            },
        },
        get: { operationId: `${id}_list`, summary: "List", responses: { 200: { description: "A list" } } },
    };
}

const component = () => ({
    type: "object",
    required: ["a"],
    properties: { a: { type: "string" }, b: { type: "integer" } },
});

const body = (path) => path.post.requestBody.content["application/json"].schema;
const answer = (path) => path.post.responses[200].content["application/json"].schema;

const BREAKING = {
    "an operation is removed": (path) => delete path.get,
    "an operationId is changed": (path) => (path.post.operationId += "_now"),
    "a parameter is removed": (path) => path.post.parameters.pop(),
    "a parameter is renamed": (path) => (path.post.parameters[0].name = "size"),
    "a parameter becomes required": (path) => (path.post.parameters[0].required = true),
    "a required parameter is added": (path) =>
        path.post.parameters.push({ name: "day", in: "query", required: true, schema: { type: "string" } }),
    "a maximum of a parameter is lowered": (path) => (path.post.parameters[0].schema.maximum = 50),
    "a minimum of a parameter is raised": (path) => (path.post.parameters[0].schema.minimum = 2),
    "a value of a parameter is removed": (path) => path.post.parameters[1].schema.enum.pop(),
    "the type of a parameter is narrowed": (path) => (path.post.parameters[1].schema.type = "integer"),
    "a property of a body becomes required": (path) => body(path).required.push("kind"),
    "a required property of a body is added": (path) => {
        body(path).properties.day = { type: "string" };
        body(path).required.push("day");
    },
    // What is not known is refused.
    "a property of a body is removed": (path) => delete body(path).properties.note,
    "a property of a body is no longer nullable": (path) => delete body(path).properties.note.nullable,
    "a value of a body is removed": (path) => body(path).properties.kind.enum.pop(),
    "the maximum length of a body is lowered": (path) => (body(path).properties.name.maxLength = 9),
    "a pattern of a body is added": (path) => (body(path).properties.note.pattern = "^[a-z]*$"),
    "a list of a body may be shorter only": (path) => (body(path).properties.tags.maxItems = 5),
    "the type of a property of a body is changed": (path) => (body(path).properties.name = { type: "integer" }),
    "a media type of a body is changed": (path) => {
        path.post.requestBody.content = { "application/xml": path.post.requestBody.content["application/json"] };
    },
    "a status is removed": (path) => delete path.post.responses[404],
    "a header of an answer is removed": (path) => delete path.post.responses[200].headers.ETag,
    "a property of an answer is removed": (path) => delete answer(path).properties.count,
    "a property of an answer becomes optional": (path) => answer(path).required.shift(),
    "a property of an answer becomes nullable": (path) => (answer(path).properties.id.nullable = true),
    "the type of an answer is widened": (path) => (answer(path).properties.count = { type: "number", maximum: 10 }),
    "a value of an answer is added": (path) => answer(path).properties.kind.enum.push("c"),
    "a bound of an answer is widened": (path) => (answer(path).properties.count.maximum = 20),
    "a format of an answer is changed": (path) => (answer(path).properties.id.format = "ulid"),
    "a property of a component is removed": (_, nested) => delete nested.properties.b,
    "a type of a component is changed": (_, nested) => (nested.properties.b.type = "string"),
    "a way to authenticate is removed": (path) => (path.post.security = [{ bearer: [] }]),
    "an open operation requires authentication": (path) => (path.get.security = [{ bearer: [] }]),
    "a higher role is required": (path) => (path.post["x-required-role"] = "admin"),
    "a feature of the plan is required": (path) => (path.post["x-required-feature"] = "api_access"),
};

const HARMLESS = {
    "an operation is added": (path, _, id) =>
        (path.put = { operationId: `${id}_put`, responses: { 200: { description: "Done" } } }),
    "a text is changed": (path) => (path.post.summary = "Book a slot"),
    "an operation is deprecated": (path) => (path.post.deprecated = true),
    "an optional parameter is added": (path) =>
        path.post.parameters.push({ name: "day", in: "query", schema: { type: "string" } }),
    "a maximum of a parameter is raised": (path) => (path.post.parameters[0].schema.maximum = 200),
    "a value of a parameter is added": (path) => path.post.parameters[1].schema.enum.push("kind"),
    "an optional property of a body is added": (path) => (body(path).properties.day = { type: "string" }),
    "a property of a body becomes optional": (path) => delete body(path).required,
    "a property of a body becomes nullable": (path) => (body(path).properties.tags.nullable = true),
    "the maximum length of a body is raised": (path) => (body(path).properties.name.maxLength = 60),
    "a value of a body is added": (path) => body(path).properties.kind.enum.push("c"),
    "a body becomes optional": (path) => (path.post.requestBody.required = false),
    "a status is added": (path) => (path.post.responses[409] = { description: "Conflict" }),
    "a header of an answer is added": (path) =>
        (path.post.responses[200].headers.Sunset = { schema: { type: "string" } }),
    "a property of an answer is added": (path) => (answer(path).properties.day = { type: "string" }),
    "a property of an answer is always there": (path) => answer(path).required.push("count"),
    "a value of an answer is removed": (path) => answer(path).properties.kind.enum.pop(),
    "a bound of an answer is narrowed": (path) => (answer(path).properties.count.maximum = 5),
    "a property of a component is added": (_, nested) => (nested.properties.c = { type: "string" }),
    "a way to authenticate is added": (path) => path.post.security.push({ link: [] }),
    "a lower role suffices": (path) => (path.post["x-required-role"] = "viewer"),
};

const listed = (changes, breaks) => Object.entries(changes).map(([name, plant]) => ({ name, plant, breaks }));

export const cases = [...listed(BREAKING, true), ...listed(HARMLESS, false)].map((planted, index) => ({
    id: `case${String(index).padStart(2, "0")}`,
    ...planted,
}));

/** Two descriptions: one without and one with all the changes. */
export function planted() {
    const document = () => ({
        openapi: "3.0.3",
        info: { title: "planted", version: "1.0.0" },
        servers: [{ url: "/" }],
        paths: {},
        components: {
            schemas: {},
            securitySchemes: {
                bearer: { type: "http", scheme: "bearer" },
                cookie: { type: "apiKey", in: "cookie", name: "session" },
                link: { type: "http", scheme: "bearer" },
            },
        },
    });
    const documents = [document(), document()];
    for (const { id, plant } of cases) {
        for (const [index, { paths, components }] of documents.entries()) {
            // As JSON, so that no part is the same object twice.
            const [item, nested] = [path(id), component()].map((part) => JSON.parse(JSON.stringify(part)));
            if (index === 1) plant(item, nested, id);
            paths[`/${id}`] = item;
            components.schemas[`${id}_Nested`] = nested;
        }
    }
    return documents;
}
