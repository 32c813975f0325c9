# Restarts the machine, once nothing of the new system is in use any more. The job ends first, so that its end can be told.

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/new.sh"

job_main() {
  ! grep -q " $NEW_ROOT/" /proc/1/mountinfo || job_fail busy "file systems are mounted below $NEW_ROOT: unmount them first (step new-unmount)"
  sync
  # Without the job's mark, by which what is left of a job is ended.
  (unset RESURGO_JOB && exec setsid sh -c 'sleep 2; exec reboot -f' </dev/null >/dev/null 2>&1 &)
  job_result '"rebooting":true'
}
