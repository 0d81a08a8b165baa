-- What `createdb --owner appointd_owner --encoding UTF8 --template template0 appointd` does.

create database appointd owner appointd_owner encoding 'UTF8' template template0;
