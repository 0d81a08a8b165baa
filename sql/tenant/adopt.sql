-- $1 organization, $2 a row of another system, as {relation, row}
select app.adopt_row($1, $2::text::jsonb) as added
