-- What `appointd dev` prints for each role of the database: how many appointments it sees.
select count(*) from scheduling.appointments
