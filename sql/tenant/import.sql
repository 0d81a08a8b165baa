-- $1 organization, $2 table, $3 rows of it from its export, as a JSON array; all have the same columns
select app.import_rows($1, $2, $3::text::jsonb) as imported
