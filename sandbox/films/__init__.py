"""The films: real MP4s of the ordered size and length, drawn and encoded once and stamped for each job."""
