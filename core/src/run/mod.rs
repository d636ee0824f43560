//! Running a plan: the pure machine and its driver.
