-- A row of each table that no request of the tests makes, for the organization {tenant}.
insert into operations.idempotency_keys (tenant_id, actor_id, operation, key, request_hash)
values ('{tenant}', '{tenant}', 'create_contact', 'x', sha256('x'));

insert into operations.deletions (tenant_id, kind, row_id) values ('{tenant}', 'contact', '{tenant}');
