"""What must survive a restart: which spans have been counted, what they counted, and the files that it is kept in."""
