-- $1 organization, $2 table, $3 rows of another system, as a JSON array; all have the same columns
select app.adopt_rows($1, $2, $3::text::jsonb) as added
