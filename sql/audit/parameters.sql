-- Sent by `appointd audit` for sql/audit/statements/scan.sql: how many parameters the statement it has prepared takes.

select cardinality(parameter_types) as parameters
from pg_prepared_statements
where name = 'audited'
